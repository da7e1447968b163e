/** Marks what stored events touch, for changes of other things than their load. */
import type { Tx } from '../db/pool.ts';

/** All days that have events of the brand, in each of these zones, after a change of the zone. */
export async function markEvents(tx: Tx, brandId: string, timeZones: readonly string[]): Promise<void> {
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, cause, marked_at)
     select distinct $1::uuid, s.subject, (e.happened_at at time zone z.time_zone)::date, 'changed_definition', now()
     from raw.events e cross join unnest($2::text[]) as z (time_zone)
     cross join lateral (select 'events' as subject union all select 'exposures' where e.kind = 'exposure') s
     where e.brand_id = $1`,
    [brandId, timeZones],
  );
}

export const EVENTS = 'raw.events';
export const EVENT_IDS = 'raw.event_ids';
export const PAST_EXPOSURES = 'raw.past_exposures';
/** The tables that hold what senders say. */
export const OF_EVENTS: ReadonlySet<string> = new Set([EVENTS, EVENT_IDS, PAST_EXPOSURES]);

/** Deletes what `statement` deletes of them, with their ids, and marks what they touched. It counts the same rows. */
export function deleteEvents(statement: string): string {
  return marking(
    statement,
    'brand_id, id, happened_at, visitor, experiment',
    `, ids as (
    delete from raw.event_ids i using changed c where i.brand_id = c.brand_id and i.id = c.id
  )`,
  );
}

/** Marks what an erasure changes of them: until it is through, a visitor may be counted under two names. */
export function markSwept(statement: string): string {
  return marking(statement, 'brand_id, happened_at, visitor, experiment');
}

function marking(statement: string, returned: string, more = ''): string {
  return `
  with changed as (${statement} returning ${returned})${more}, marked as (
    insert into ops.marks (brand_id, subject, day, marked_at)
    select distinct c.brand_id, m.subject, (m.at at time zone b.time_zone)::date, now()
    from changed c join app.brands b on b.id = c.brand_id
    cross join lateral (
      select 'events' as subject, c.happened_at as at
      union all select 'exposures', c.happened_at where c.experiment is not null
      union all select 'exposures', x.happened_at from raw.events x
      where x.brand_id = c.brand_id and x.visitor = c.visitor and x.experiment = c.experiment and x.kind = 'exposure'
    ) m
  )
  select from changed`;
}

/**
 * Marks the days of all exposures of visitors, of whom events are stored in this transaction: they decide which of them was
 * the first one, and whether it led to a conversion. Transactions that do so for one brand come one after the other, or
 * neither of two would see what the other stores.
 */
export async function markExposures(
  tx: Tx,
  { brandId, timeZone, now }: { brandId: string; timeZone: string; now: Date },
  pairs: readonly { visitor: string; experiment: string }[],
): Promise<void> {
  if (pairs.length === 0) return;
  await tx.query("select pg_advisory_xact_lock(hashtextextended('exposures of ' || $1, 0))", [brandId]);
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, marked_at)
     select distinct $1::uuid, 'exposures', (x.happened_at at time zone $4)::date, $5::timestamptz
     from (select distinct * from unnest($2::text[], $3::text[]) as p (visitor, experiment)) p
     cross join lateral (
       select e.happened_at from raw.events e
       where e.brand_id = $1 and e.visitor = p.visitor and e.experiment = p.experiment and e.kind = 'exposure'
       order by e.happened_at, e.id
     ) x`,
    [brandId, pairs.map(({ visitor }) => visitor), pairs.map(({ experiment }) => experiment), timeZone, now],
  );
}
