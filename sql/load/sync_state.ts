/** Where each stream goes on from, and how its last run ended. */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Json } from './table.ts';

export type SyncEnd = {
  state: 'ok' | 'partial' | 'failing';
  cause?: string | null;
  /** The run also held what is stored against a fresh list. */
  isReconciled?: boolean;
  now: Date;
};

/** What the stream itself left there; null before its first page has been stored. */
export async function readPosition(
  db: Reader,
  brandId: string,
  connectionId: string,
  stream: string,
): Promise<unknown> {
  const { rows } = await db.query<{ position: unknown }>(
    `select nullif(position, 'null') as position from ops.positions
     where brand_id = $1 and connection_id = $2 and stream = $3`,
    [brandId, connectionId, stream],
  );
  return rows[0]?.position ?? null;
}

/** In the transaction of the rows that it stands for, so that neither is there without the other. */
export async function savePosition(
  tx: Tx,
  brandId: string,
  connectionId: string,
  stream: string,
  position: Json,
  now = new Date(),
): Promise<void> {
  await tx.query({
    name: 'save position',
    text: `
      insert into ops.positions (brand_id, connection_id, stream, position, updated_at)
      values ($1, $2, $3, $4, $5)
      on conflict (brand_id, connection_id, stream) do update
      set position = excluded.position, updated_at = excluded.updated_at`,
    values: [brandId, connectionId, stream, JSON.stringify(position), now],
  });
}

/**
 * Records how a run ended. A run that is not whole keeps the instant of the last one that was, and up to
 * when everything was stored then: by its position, which says so in `changesTo` where it knows.
 */
export async function finishRun(
  tx: Tx,
  brandId: string,
  connectionId: string,
  stream: string,
  { state, cause = null, isReconciled = false, now }: SyncEnd,
): Promise<void> {
  await tx.query(
    `insert into ops.positions as p
       (brand_id, connection_id, stream, position, state, cause, last_run_at, last_success_at, whole_by_clock_at,
        reconciled_at, updated_at)
     values ($1, $2, $3, 'null', $4, $5, $6::timestamptz, case when $4 = 'ok' then $6::timestamptz end,
             case when $4 = 'ok' then clock_timestamp() end,
             case when $7 then $6::timestamptz end, $6::timestamptz)
     on conflict (brand_id, connection_id, stream) do update
     set state = excluded.state, cause = excluded.cause, last_run_at = excluded.last_run_at,
         last_success_at = coalesce(excluded.last_success_at, p.last_success_at),
         whole_by_clock_at = coalesce(excluded.whole_by_clock_at, p.whole_by_clock_at),
         complete_to = case when excluded.state = 'ok' then (p.position ->> 'changesTo')::timestamptz else p.complete_to end,
         reconciled_at = coalesce(excluded.reconciled_at, p.reconciled_at), updated_at = excluded.updated_at`,
    [brandId, connectionId, stream, state, cause && scrub(cause), now, isReconciled],
  );
}
