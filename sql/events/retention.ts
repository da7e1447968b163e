/** Deletes events that are older than their brand keeps them. The figures of their days stay as they are. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from '../dirty/marks.ts';
import type { Batch } from '../queue/retention.ts';
import { tryLockEvents } from './lock.ts';

const BATCH_MAX = 5_000;

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
const FIRST_DAY = `select (least($1::timestamptz, now()) at time zone b.time_zone)::date - r.kept as day
   from ops.retention r where r.brand_id = b.id and r.rule = 'events'`;

const MONTHS_AHEAD = 2;

/** Where there are events at all: those of the months to come find their partitions. */
export async function makeMonthsAhead(tx: Tx): Promise<number> {
  const { rows } = await tx.query<{ made: number }>(
    `select ops.make_event_months(array(
       select ((now() at time zone 'UTC') + make_interval(months => n))::date from generate_series(0, $1) n)) as made
     where exists (select from pg_inherits where inhparent = 'raw.events'::regclass)`,
    [MONTHS_AHEAD],
  );
  return rows[0]?.made ?? 0;
}

/** Whether there was one of which nothing is left. */
export async function dropMonth(tx: Tx, now: Date): Promise<boolean> {
  const { rows } = await tx.query<{ dropped: boolean }>('select ops.drop_event_month($1) as dropped', [now]);
  return rows[0]?.dropped === true;
}

/**
 * Deletes some, oldest first. Before that their days are said to be of the past, under the lock of the rollups, so that none
 * computes them without their events; a day that is still to be computed stops it, as does an import. Figures of later days
 * stay as they are too: `raw.past_exposures` says who is counted.
 */
export async function deleteOldEvents(tx: Tx, brandId: string, now: Date): Promise<Batch> {
  await lockRollup(tx, brandId, null);
  if (!(await tryLockEvents(tx, brandId))) return { deleted: 0, isLast: true, after: 0 };
  const { rows } = await tx.query<{ cutoff: Date }>(
    `update app.brands b set events_from = greatest(b.events_from, d.cutoff)
     from app.brands o cross join lateral (${FIRST_DAY.replaceAll('b.', 'o.')}) f
     cross join lateral (
       select fact.day_start(least(f.day, min(m.day)), o.time_zone) as cutoff from ops.marks m
       where m.brand_id = o.id and m.retailer_id is null and m.subject in ('events', 'exposures')
     ) d
     where b.id = $2 and o.id = $2
     returning d.cutoff`,
    [now, brandId],
  );
  const { rowCount } = await tx.query(DELETE, [brandId, rows[0]?.cutoff]);
  const deleted = rowCount ?? 0;
  return { deleted, isLast: deleted < BATCH_MAX, after: 0 };
}

const DELETE = `
  with gone as (
    delete from raw.events e using (
      select o.happened_at as at, o.id as one from raw.events o
      where o.brand_id = $1 and o.happened_at < $2 order by o.happened_at, o.id limit ${BATCH_MAX}
    ) o where e.brand_id = $1 and e.happened_at = o.at and e.id = o.one
    returning e.id, e.kind, e.visitor, e.experiment, e.happened_at
  ), ids as (
    delete from raw.event_ids i using gone g where i.brand_id = $1 and i.id = g.id
  ), counted as (
    insert into raw.past_exposures (brand_id, visitor, experiment, happened_at)
    select $1, visitor, experiment, min(happened_at) from gone where kind = 'exposure' group by visitor, experiment
    on conflict do nothing
  )
  select from gone`;
