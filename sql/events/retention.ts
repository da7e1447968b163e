/** Deletes events that are older than their brand keeps them. The figures of their days stay as they are. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from '../dirty/marks.ts';
import type { Batch } from '../queue/retention.ts';
import { recordAction } from '../tenants/audit.ts';
import { keepBrand } from '../tenants/removing.ts';
import { deleteEvents } from './marks.ts';

const BATCH_MAX = 5_000;
const MONTHS_MAX = 240;

/** Sets for how many days events are kept from now on. What is deleted does not come back. */
export async function setKeptDays(tx: Tx, brandId: string, days: number, actor?: string): Promise<void> {
  const target = await keepBrand(tx, brandId);
  const { rows } = await tx.query<{ days: number }>(
    'select events_days as days from app.brands where id = $1 for no key update',
    [brandId],
  );
  const before = rows[0]?.days;
  if (before === days) return;
  await tx.query('update app.brands set events_days = $2 where id = $1', [brandId, days]);
  await recordAction(tx, {
    action: 'events.keep',
    brandId,
    target,
    before: { days: before },
    after: { days },
    actor,
  });
}

/** Brands with events that are too old. */
export async function brandsWithOldEvents(db: Reader, now: Date): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select b.id from app.brands b cross join lateral (${FIRST_DAY}) d
     where b.removing_at is null and exists (
       select from raw.events e where e.brand_id = b.id and e.happened_at < fact.day_start(d.day, b.time_zone))
     order by b.id`,
    [now],
  );
  return rows.map(({ id }) => id);
}

/** The first day that brand `b` keeps; never ahead of the clock of the database, which would delete recent ones. */
const FIRST_DAY =
  'select (least($1::timestamptz, now()) at time zone b.time_zone)::date - b.events_days as day';

/** Drops the months of which nothing is left. */
export async function dropMonths(tx: Tx, now: Date): Promise<void> {
  await tx.query('select ops.drop_event_months($1, $2)', [now, MONTHS_MAX]);
}

/**
 * Deletes some, oldest first. Before that their days are said to be of the past, under the lock of the rollups, so that none
 * computes them without their events.
 */
export async function deleteOldEvents(tx: Tx, brandId: string, now: Date): Promise<Batch> {
  await lockRollup(tx, brandId, null);
  const { rows } = await tx.query<{ cutoff: Date }>(
    `update app.brands b set events_from = greatest(b.events_from, d.day)
     from app.brands o cross join lateral (${FIRST_DAY.replaceAll('b.', 'o.')}) d
     where b.id = $2 and o.id = $2
     returning fact.day_start(d.day, b.time_zone) as cutoff`,
    [now, brandId],
  );
  const batch = `
    delete from raw.events e using (
      select o.happened_at as at, o.id as one from raw.events o
      where o.brand_id = $1 and o.happened_at < $2 order by o.happened_at, o.id limit ${BATCH_MAX}
    ) o where e.brand_id = $1 and e.happened_at = o.at and e.id = o.one`;
  const { rowCount } = await tx.query(deleteEvents(batch), [brandId, rows[0]?.cutoff]);
  const deleted = rowCount ?? 0;
  return { deleted, isLast: deleted < BATCH_MAX, after: 0 };
}
