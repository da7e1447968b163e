/**
 * Quarantine: invalid records of a stream, kept with the reason until the same record loads, is deleted or is
 * dismissed.
 */
import { scrub, scrubbed } from '#runtime/scrub.ts';
import { digestKey, jsonText, keyOf } from '../db/copy.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import type { ConnectionKey, StreamKey } from './stream_key.ts';

export type Rejection = { key: string; reason: string; payload: unknown };

/** The key of the record here: its own, or a hash of one that no index can hold or that must not be shown. */
function rowKeyOf(key: string): string {
  return scrub(key) === key ? keyOf(key) : digestKey(key);
}

/** Stores each record once, with the latest reason. */
export async function rejectRows(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  rejections: readonly Rejection[],
  now = new Date(),
): Promise<void> {
  const latest = new Map(rejections.map((rejection) => [rowKeyOf(rejection.key), rejection]));
  if (latest.size === 0) return;
  await tx.query(
    `insert into ops.rejected_rows (brand_id, connection_id, stream, row_key, reason, payload, rejected_at)
     select $1::uuid, $2::uuid, $3, r.row_key, r.reason, r.payload, $7::timestamptz
     from unnest($4::text[], $5::text[], $6::jsonb[]) as r (row_key, reason, payload)
     on conflict (brand_id, connection_id, stream, row_key) do update
     set reason = excluded.reason, payload = excluded.payload, rejected_at = excluded.rejected_at`,
    [
      brandId,
      connectionId,
      stream,
      [...latest.keys()],
      [...latest.values()].map(({ reason }) => scrub(reason)),
      [...latest.values()].map(({ payload }) => jsonText(scrubbed(payload))),
      now,
    ],
  );
}

/** Removes records that loaded or are deleted; returns their number. */
export async function clearRejected(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  keys: readonly string[],
): Promise<number> {
  if (keys.length === 0) return 0;
  const { rowCount } = await tx.query({
    name: 'clear rejected rows',
    text: `delete from ops.rejected_rows
           where brand_id = $1 and connection_id = $2 and stream = $3 and row_key = any($4::text[])`,
    values: [brandId, connectionId, stream, keys.map(rowKeyOf)],
  });
  return rowCount ?? 0;
}

/** The number of records by stream, for streams that have some. */
export async function countRejected(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  streams: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ stream: string; n: number }>(
    `select stream, count(*)::int as n from ops.rejected_rows
     where brand_id = $1 and connection_id = $2 and stream = any ($3) group by stream`,
    [brandId, connectionId, streams],
  );
  return new Map(rows.map(({ stream, n }) => [stream, n]));
}

export type RejectedOf = StreamKey & { connection: string };

/** Dismisses records that will never load, such as one without an id. Returns the keys that existed. */
export async function dismissRejected(
  tx: Tx,
  { brandId, connectionId, connection, stream }: RejectedOf,
  rowKeys: readonly string[],
): Promise<string[]> {
  const { rows } = await tx.query<{ key: string; reason: string }>(
    `delete from ops.rejected_rows
     where brand_id = $1 and connection_id = $2 and stream = $3 and row_key = any($4::text[])
     returning row_key as key, reason`,
    [brandId, connectionId, stream, rowKeys],
  );
  for (const { key, reason } of rows) {
    const before = { record: key, reason };
    const details = { stream };
    await recordAction(tx, { action: 'sync.dismiss', brandId, target: connection, before, details });
  }
  return rows.map(({ key }) => key);
}
