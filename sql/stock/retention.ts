/**
 * Stock history is kept for 365 days, and rolled up by months: of readings before the month in which that day lies, the last
 * one of each variant stays. It is the first one then, so it becomes the opening level, and sums stay what was read.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection, lockConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { Batch } from '../queue/retention.ts';

export const STOCK_KEPT_DAYS = 365;
const READINGS_MAX = 5_000;

/** Before the instant `$n`, but never ahead of the clock of the database. */
const before = (now: string) =>
  `date_trunc('month', least(${now}::timestamptz, now()) - interval '${STOCK_KEPT_DAYS} days', 'UTC')`;

export async function connectionsWithOldStock(db: Reader, now: Date): Promise<ConnectionKey[]> {
  const { rows } = await db.query<ConnectionKey>(
    `select c.brand_id as "brandId", c.id as "connectionId" from app.connections c
     where c.removing_at is null and exists (
       select from raw.shopify_stock_readings r
       where r.brand_id = c.brand_id and r.connection_id = c.id and r.valid_from < ${before('$1')})
     order by 1, 2`,
    [now],
  );
  return rows;
}

/** A batch of readings that a later old one follows, and marks of their variants. */
export async function deleteOldStock(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  now: Date,
): Promise<Batch & { brandId: string; retailerId: string | null }> {
  await keepConnection(tx, { brandId, connectionId });
  const { owners } = await lockConnection(tx, { brandId, connectionId });
  const [retailerId = null] = owners;
  await followIndexes(tx);
  const { rows } = await tx.query<{ deleted: number }>(
    `with old as (
       select r.id, r.valid_from from raw.shopify_stock_readings r
       where r.brand_id = $1 and r.connection_id = $2 and r.valid_from < ${before('$4')} and exists (
         select from raw.shopify_stock_readings n
         where n.brand_id = $1 and n.connection_id = $2 and n.id = r.id and n.valid_from > r.valid_from
           and n.valid_from < ${before('$4')})
       order by r.valid_from limit ${READINGS_MAX}
     ), deleted as (
       delete from raw.shopify_stock_readings r using old
       where r.brand_id = $1 and r.connection_id = $2 and r.id = old.id and r.valid_from = old.valid_from
       returning r.id
     ), marked as (
       insert into ops.marks (brand_id, retailer_id, subject, object, marked_at)
       select distinct $1::uuid, $3::uuid, 'stock', $2::uuid || ' ' || id, now() from deleted where $3::uuid is not null
     )
     select count(*)::int as deleted from deleted`,
    [brandId, connectionId, retailerId, now],
  );
  const { deleted = 0 } = rows[0] ?? {};
  return { deleted, isLast: deleted < READINGS_MAX, after: 0, brandId, retailerId };
}
