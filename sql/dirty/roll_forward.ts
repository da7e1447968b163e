/**
 * Carries figures of states, such as MRR, on to the current day. They change with the day even if nothing else does:
 * today has a row of its own. The rollups of a retailer, and those of the brand itself, store up to which instant its
 * states are carried, and continue from there.
 */

import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { rollups as ours } from '../rollups/index.ts';
import type { Rollup } from '../rollups/rollup.ts';
import { lockRollup, type Owner } from './marks.ts';

type Which = { brandId: string; retailerId: Owner; now: Date };

/** A century: older than any data, and a bound on the cost of a senseless instant. */
const DAYS_MAX = 36_525;
/** If there is nothing to carry, the instant is written at most this often. */
const KEPT_MS = 60 * 60_000;

type Carried = NonNullable<Rollup['carries']> & Pick<Rollup, 'writes'> & { owned: string };

/** What rollups carry of a retailer, or of the brand itself. */
function carriedOf(rollups: readonly Rollup[], owner: Owner): Carried[] {
  const owned = owner === null ? '$2::uuid is null' : 'retailer_id = $2';
  return rollups.flatMap(({ carries, writes, of }) =>
    carries && (of === 'brand') === (owner === null) ? [{ ...carries, writes, owned }] : [],
  );
}

/** Whether a state of the owner begins or ends so, looked up by its index. */
function anyState({ states, owned }: Carried, end: string, condition: string): string {
  return `(
    select true from ${states} s
    where s.brand_id = $1 and ${owned} and s.${end} ${condition}
    order by s.${end} limit 1)`;
}

/** The span between the two instants, if a state of the owner lasts in it. */
function spansOf(of: readonly Carried[]): string {
  const lasting = of.map((one) => anyState(one, one.until, '> least(c.carried_to, $3)'));
  return `
  select least(c.carried_to, $3) as starts, greatest(c.carried_to, $3) as ends, b.time_zone
  from ops.days_carried c
  join app.brands b on b.id = c.brand_id
  where c.brand_id = $1 and c.retailer_id is not distinct from $2 and c.carried_to <> $3
    and (${['false', ...lasting].join(' or ')})`;
}

/** The days between the two; within one day only if a state began or ended then. Also days that have not begun yet. */
function daysOf(one: Carried): string {
  return `
     select d.day::date as day
     from (${spansOf([one])}) p
     cross join lateral generate_series(
       (p.starts at time zone p.time_zone)::date::timestamp, (p.ends at time zone p.time_zone)::date, '1 day') as d (day)
     where (p.starts at time zone p.time_zone)::date <> (p.ends at time zone p.time_zone)::date
       or ${anyState(one, one.from, `> p.starts and s.${one.from} <= p.ends`)}
       or ${anyState(one, one.until, `> p.starts and s.${one.until} <= p.ends`)}
     union
     select m.day
     from app.brands b
     cross join lateral (
       select m.day from ${one.writes} m
       where m.brand_id = $1 and ${one.owned} and m.day > ($3 at time zone b.time_zone)::date
       order by m.day
     ) m
     where b.id = $1`;
}

/**
 * Marks the days from the last carried instant to `now`, each once; within one day only if a state began or ended
 * between the two. An earlier `now` takes the days in between back; so are days that have not begun yet, after a change
 * of the brand's time zone.
 */
export async function rollForward(
  tx: Tx,
  { brandId, retailerId, now }: Which,
  rollups: readonly Rollup[] = ours,
): Promise<number> {
  const carried = carriedOf(rollups, retailerId);
  if (carried.length === 0) return 0;
  await lockRollup(tx, brandId, retailerId);
  await followIndexes(tx);
  const { rowCount } = await tx.query(
    `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
     select $1, $2, 'calendar', t.day, $3::timestamptz
     from (${carried.map(daysOf).join(' union ')}) t
     limit ${DAYS_MAX}`,
    [brandId, retailerId, now],
  );
  const days = rowCount ?? 0;
  // For an owner without states any instant will do that is not later than a rollup's.
  await tx.query(
    `insert into ops.days_carried as c (brand_id, retailer_id, carried_to)
     select b.id, $2::uuid, $3::timestamptz from app.brands b
     where b.id = $1 and ($2 is null or exists (select from app.retailers r where r.brand_id = $1 and r.id = $2))
     on conflict (brand_id, retailer_id) do update set carried_to = excluded.carried_to
     where $4 or c.carried_to > excluded.carried_to or c.carried_to < $5`,
    [brandId, retailerId, now, days > 0, new Date(now.getTime() - KEPT_MS)],
  );
  return days;
}

/** Whether the states of the owner have been carried to another day than this one, earlier or later. */
export async function isDayDue(
  db: Reader,
  { brandId, retailerId, now }: Which,
  rollups: readonly Rollup[] = ours,
): Promise<boolean> {
  const { rows } = await db.query<{ due: boolean }>(
    `select (p.starts at time zone p.time_zone)::date <> (p.ends at time zone p.time_zone)::date as due
     from (${spansOf(carriedOf(rollups, retailerId))}) p`,
    [brandId, retailerId, now],
  );
  return rows[0]?.due === true;
}
