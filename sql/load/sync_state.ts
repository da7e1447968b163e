/** The position of each stream, and the outcome of its last run. */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { ConnectionKey } from './stream_key.ts';
import type { Json } from './table.ts';

export type RunState = 'ok' | 'partial' | 'failing';

export type SyncEnd = {
  state: RunState;
  cause?: string | null;
  /** Whether the run also compared what is stored with a fresh list. */
  isReconciled?: boolean;
};

export type SyncState = {
  /** The position that the stream has stored; null before its first page. */
  position: unknown;
  state: 'never' | RunState;
  /** What its last run warned of, as it is stored. */
  warnings: readonly string[];
  /** When the key of the connection was last replaced or checked by a person. */
  keyAt: Date | null;
};

/** The states of all streams of the connection that have one. */
export async function readStates(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
): Promise<ReadonlyMap<string, SyncState>> {
  const { rows } = await db.query<SyncState & { stream: string }>(
    `select stream, nullif(p.position, 'null') as position, p.state, coalesce(w.warnings, '{}') as warnings,
            greatest(c.secret_changed_at, c.checked_at) as "keyAt"
     from ops.positions p left join ops.stream_warnings w using (brand_id, connection_id, stream)
     join app.connections c on c.brand_id = p.brand_id and c.id = p.connection_id
     where p.brand_id = $1 and p.connection_id = $2`,
    [brandId, connectionId],
  );
  return new Map(rows.map(({ stream, ...state }) => [stream, state]));
}

/** In the transaction of the rows that they stand for, so that neither exists without the other. */
export async function savePositions(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  positions: readonly { stream: string; position: Json }[],
  now = new Date(),
): Promise<void> {
  if (positions.length === 0) return;
  await tx.query({
    name: 'save positions',
    text: `
      insert into ops.positions (brand_id, connection_id, stream, position, updated_at)
      select $1, $2, p.stream, p.position, $5
      from unnest($3::text[], $4::jsonb[]) as p (stream, position)
      on conflict (brand_id, connection_id, stream) do update
      set position = excluded.position, updated_at = excluded.updated_at`,
    values: [
      brandId,
      connectionId,
      positions.map(({ stream }) => stream),
      positions.map(({ position }) => JSON.stringify(position)),
      now,
    ],
  });
}

/**
 * Records how runs ended. An incomplete run keeps the instant and the watermark of the last complete one. The watermark
 * is `changesTo` of its position, if it has one.
 */
export async function finishRuns(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  ends: readonly (SyncEnd & { stream: string })[],
  now: Date,
): Promise<void> {
  if (ends.length === 0) return;
  await tx.query(
    `insert into ops.positions as p
       (brand_id, connection_id, stream, position, state, cause, last_run_at, last_success_at, whole_by_clock_at,
        reconciled_at, updated_at)
     select $1, $2, e.stream, 'null', e.state, e.cause, $7::timestamptz, case when e.state = 'ok' then $7::timestamptz end,
            case when e.state = 'ok' then clock_timestamp() end,
            case when e.is_reconciled then $7::timestamptz end, $7::timestamptz
     from unnest($3::text[], $4::text[], $5::text[], $6::boolean[]) as e (stream, state, cause, is_reconciled)
     on conflict (brand_id, connection_id, stream) do update
     set state = excluded.state, cause = excluded.cause, last_run_at = excluded.last_run_at,
         last_success_at = coalesce(excluded.last_success_at, p.last_success_at),
         whole_by_clock_at = coalesce(excluded.whole_by_clock_at, p.whole_by_clock_at),
         complete_to = case when excluded.state = 'ok' then (p.position ->> 'changesTo')::timestamptz else p.complete_to end,
         reconciled_at = coalesce(excluded.reconciled_at, p.reconciled_at), updated_at = excluded.updated_at`,
    [
      brandId,
      connectionId,
      ends.map(({ stream }) => stream),
      ends.map(({ state }) => state),
      ends.map(({ cause }) => (cause ? scrub(cause) : null)),
      ends.map(({ isReconciled = false }) => isReconciled),
      now,
    ],
  );
}
