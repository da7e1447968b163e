/** Marks what stored events touch, for changes of other things than their load. */
import type { Tx } from '../db/pool.ts';

/** All days that have events of the brand, in each of these zones, after a change of the zone. */
export async function markEvents(tx: Tx, brandId: string, timeZones: readonly string[]): Promise<void> {
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, cause, marked_at)
     select distinct $1::uuid, 'events', (e.happened_at at time zone z.time_zone)::date, 'changed_definition', now()
     from raw.events e cross join unnest($2::text[]) as z (time_zone)
     where e.brand_id = $1`,
    [brandId, timeZones],
  );
}

export const EVENTS = 'raw.events';
export const EVENT_IDS = 'raw.event_ids';

/** Deletes what `statement` deletes of them, with their ids, and marks what they touched. It counts the same rows. */
export function deleteEvents(statement: string): string {
  return marking(
    statement,
    `, ids as (
    delete from raw.event_ids i using changed c where i.brand_id = c.brand_id and i.id = c.id
  )`,
  );
}

/** Marks what an erasure changes of them: until it is through, a visitor may be counted under two names. */
export function markSwept(statement: string): string {
  return marking(statement);
}

function marking(statement: string, more = ''): string {
  return `
  with changed as (${statement} returning brand_id, id, happened_at)${more}, marked as (
    insert into ops.marks (brand_id, subject, day, marked_at)
    select distinct c.brand_id, 'events', (c.happened_at at time zone b.time_zone)::date, now()
    from changed c join app.brands b on b.id = c.brand_id
  )
  select from changed`;
}
