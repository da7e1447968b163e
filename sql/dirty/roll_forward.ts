/**
 * Figures of states, such as MRR, change with the day although nothing else does: yesterday ends, today
 * has a row of its own. The rollups of a retailer remember up to which instant they have carried its
 * states, and go on from there.
 */

import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from './marks.ts';

type Which = { brandId: string; retailerId: string; now: Date };

/** A century: older than anything there is, and a bound to what a senseless instant costs. */
const DAYS_MAX = 36_525;
/** Where nothing is to be carried, the instant is not written more often. */
const KEPT_MS = 60 * 60_000;

/** Whether there is a state of the retailer, looked up by the index on an end of it. */
function anyState(end: 'valid_from' | 'valid_until', condition: string): string {
  return `(
    select true from agg.subscription_states s
    where s.brand_id = $1 and s.retailer_id = $2 and ${condition}
    order by s.${end} limit 1)`;
}

/** From a time before to one after it, as far as a state of the retailer lasts. */
const SPANS = `
  select least(c.carried_to, $3) as starts, greatest(c.carried_to, $3) as ends, b.time_zone
  from ops.days_carried c
  join app.brands b on b.id = c.brand_id
  where c.brand_id = $1 and c.retailer_id = $2 and c.carried_to <> $3
    and ${anyState('valid_until', 's.valid_until > least(c.carried_to, $3)')}`;

/**
 * Marks the days from the one that was carried to last until that of `now`, each once; within one day only
 * if a state began or ended between the two. A `now` before the last one takes the days between back, and so
 * are days taken back that have not begun by now, because the brand's zone is another one than it was.
 */
export async function rollForward(tx: Tx, { brandId, retailerId, now }: Which): Promise<number> {
  await lockRollup(tx, brandId, retailerId);
  await followIndexes(tx);
  const { rowCount } = await tx.query(
    `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
     select $1, $2, 'calendar', d.day::date, $3::timestamptz
     from (${SPANS}) p
     cross join lateral generate_series(
       (p.starts at time zone p.time_zone)::date::timestamp, (p.ends at time zone p.time_zone)::date, '1 day') as d (day)
     where (p.starts at time zone p.time_zone)::date <> (p.ends at time zone p.time_zone)::date
       or ${anyState('valid_from', 's.valid_from > p.starts and s.valid_from <= p.ends')}
       or ${anyState('valid_until', 's.valid_until > p.starts and s.valid_until <= p.ends')}
     union
     select $1, $2, 'calendar', m.day, $3
     from app.brands b
     cross join lateral (
       select m.day from agg.daily_mrr m
       where m.brand_id = $1 and m.retailer_id = $2 and m.day > ($3 at time zone b.time_zone)::date
       order by m.day
     ) m
     where b.id = $1
     limit ${DAYS_MAX}`,
    [brandId, retailerId, now],
  );
  const days = rowCount ?? 0;
  // Of a retailer without states every instant is as good, but none may be later than a rollup's.
  await tx.query(
    `insert into ops.days_carried as c (brand_id, retailer_id, carried_to)
     select r.brand_id, r.id, $3::timestamptz from app.retailers r where r.brand_id = $1 and r.id = $2
     on conflict (brand_id, retailer_id) do update set carried_to = excluded.carried_to
     where $4 or c.carried_to > excluded.carried_to or c.carried_to < $5`,
    [brandId, retailerId, now, days > 0, new Date(now.getTime() - KEPT_MS)],
  );
  return days;
}

/** Whether the states of the retailer have been carried to another day than this one, be it a later one. */
export async function isDayDue(db: Reader, { brandId, retailerId, now }: Which): Promise<boolean> {
  const { rows } = await db.query<{ due: boolean }>(
    `select (p.starts at time zone p.time_zone)::date <> (p.ends at time zone p.time_zone)::date as due
     from (${SPANS}) p`,
    [brandId, retailerId, now],
  );
  return rows[0]?.due === true;
}
