/**
 * Figures of closed periods: the statement that freezes the rows of any table, as its descriptor says them, and the part of
 * the merge that books what changes afterwards. A row is of the month in which its partition ends. By owner, currency and
 * column, frozen figures and adjustments add up to the present ones at every instant, because one statement writes both the
 * change and its adjustment, and a closing waits until no merge of the brand is under way (`lockRollup`).
 */
import type { Cause } from './causes.ts';
import { currencyOf, lastDay, numbersOf, ownerOf, RATE, type Restating, restOfKey } from './restate.ts';
import type { Rollup } from './rollup.ts';

type Closable = Restating & Pick<Rollup, 'writes'>;

/** Of brand $1, with the month in which a change of this instant is booked: never one that is closed. */
export function closedPeriods(instant: string): string {
  return `
  select c.brand_id, c.id as closing_id, c.period as closed_from, (c.period + interval '1 month')::date - 1 as closed_to,
         greatest(date_trunc('month', ${instant}::timestamptz at time zone b.time_zone)::date,
                  (max(c.period) over () + interval '1 month')::date) as booked_in
  from ops.period_closings c
  join app.brands b on b.id = $1
  where c.brand_id = $1 and c.reopened_at is null`;
}

/** Joins the closed periods with a row whose partition ends in one: by equality, so many rows are hashed. */
export function isClosed(rollup: Restating): string {
  return `date_trunc('month', ${lastDay(rollup)}::timestamp)::date = k.closed_from`;
}

const TARGET = `insert into ops.period_adjustments as a (brand_id, closing_id, rollup, retailer_id, column_name, currency, booked_in,
    cause, difference, cells, booked_at)`;

// In one order, so that two who book at once never wait for each other.
const ADDS = `order by closing_id, retailer_id, column_name, currency, booked_in, cause
  on conflict (brand_id, closing_id, rollup, retailer_id, column_name, currency, booked_in, cause) do update
  set difference = trim_scale(a.difference + excluded.difference), cells = a.cells + excluded.cells,
      booked_at = greatest(a.booked_at, excluded.booked_at)`;

/** Books the changed cells of closed periods; $4 is the instant of the run. */
export function adjustmentsOf({ name, keepsRates }: Restating): string {
  return `, adjusted as (
  ${TARGET}
  select $1, closing_id, '${name}', retailer_id, column_name, currency, booked_in, cause,
         trim_scale(sum(coalesce(new_value, 0) - coalesce(old_value, 0))), count(*), $4::timestamptz
  from cells
  where closing_id is not null${keepsRates ? ` and column_name <> '${RATE}'` : ''}
  group by closing_id, retailer_id, column_name, currency, booked_in, cause
  ${ADDS}
)`;
}

/**
 * Freezes the rows and counts them by owner, and returns the counts. Parameters: $1 brand, $2 closing, $3 and $4 the first
 * and the last day of its period.
 */
export function freezeStatement(rollup: Closable): string {
  const { name, writes, measures } = rollup;
  return `
with frozen as (
  insert into ops.closed_figures (brand_id, closing_id, rollup, day, retailer_id, key, currency, figures)
  select $1, $2, '${name}', a.day, ${ownerOf(rollup, 'a')}, ${restOfKey(rollup, 'a')}, ${currencyOf(rollup, 'a')},
         (select to_jsonb(m) from (select ${measures.map((one) => `a.${one}`)}) m)
  from ${writes} a
  where a.brand_id = $1 and ${lastDay(rollup)} between $3::date and $4::date
  returning retailer_id
)
insert into ops.closed_counts (brand_id, closing_id, rollup, retailer_id, rows)
select $1, $2, '${name}', retailer_id, count(*) from frozen group by retailer_id
returning rows`;
}

type Counted = {
  /** A relation with (brand_id, closing_id). */
  closings: string;
  /** All if undefined. */
  rollup?: string;
  /** As in `Summed`. */
  isOf?: (owner: string) => string;
};

/**
 * Selects the owners whose frozen rows are not as many as were counted. Whose rows are counted is said within, or one owner
 * costs the rows of all.
 */
export function lostOf({ closings, rollup, isOf = () => 'true' }: Counted): string {
  const ofThese = (row: string) =>
    `${row}.brand_id = k.brand_id and ${row}.closing_id = k.closing_id
      ${rollup === undefined ? '' : `and ${row}.rollup = '${rollup}'`} and ${isOf(`${row}.retailer_id`)}`;
  return `
  select n.brand_id, n.closing_id, n.rollup, n.retailer_id, n.rows as frozen, coalesce(f.rows, 0) as rows
  from ${closings} k
  join ops.closed_counts n on ${ofThese('n')}
  left join (
    select f.brand_id, f.closing_id, f.rollup, coalesce(f.retailer_id, f.brand_id) as owner, count(*) as rows
    from ${closings} k
    join ops.closed_figures f on ${ofThese('f')}
    group by 1, 2, 3, 4
  ) f on f.brand_id = n.brand_id and f.closing_id = n.closing_id and f.rollup = n.rollup
     and f.owner = coalesce(n.retailer_id, n.brand_id)
  where n.rows <> coalesce(f.rows, 0)`;
}

/** What `lostOf` selects, by names. */
export function named(lost: string): string {
  return `
select b.slug as brand, c.period::text, l.rollup as figure, r.slug as retailer, l.frozen, l.rows
from ${lost} l
join app.brands b on b.id = l.brand_id
join ops.period_closings c on c.brand_id = l.brand_id and c.id = l.closing_id
left join app.retailers r on r.brand_id = l.brand_id and r.id = l.retailer_id
order by b.slug, c.period, l.rollup, r.slug nulls first`;
}

/** Its columns that add up. `numbers`: those of its table that are numbers. */
export function addedUp(rollup: Restating, numbers: readonly string[]): string[] {
  return numbersOf(rollup).filter((column) => column !== RATE && numbers.includes(column));
}

type Summed = {
  /** Those of `addedUp`. */
  columns: readonly string[];
  /** Which closed periods, as SQL. */
  periods: string;
  /** Whether an owner counts, as SQL. */
  isOf?: (owner: string) => string;
};

/**
 * By closed period, owner, currency and column: what was frozen, what was booked, and what is. $2 is the instant. Rows are
 * added up before their columns become rows, of which there are some twenty times as many.
 */
function sumsOf(rollup: Closable, { columns, periods, isOf = () => 'true' }: Summed): string {
  const { name, writes } = rollup;
  const owner = ownerOf(rollup, 'a');
  const sums = (row: string) => columns.map((one) => `sum(${row}.${one}) as ${one}`).join(', ');
  const cells = `cross join lateral (values ${columns.map((one) => `('${one}', s.${one})`).join(', ')}) m (column_name, value)`;
  const period = 'closing_id, booked_in, retailer_id, currency';
  return `with closed as materialized (
  select k.* from (${closedPeriods('$2')}
  ) k where ${periods}
), sums as materialized (
  select ${period}, column_name, coalesce(sum(closed), 0) as closed, coalesce(sum(adjusted), 0) as adjusted,
         coalesce(sum(present), 0) as present
  from (
    select ${period}, m.column_name, null::numeric as closed, null::numeric as adjusted, m.value as present
    from (
      select k.closing_id, k.booked_in, ${owner} as retailer_id, ${currencyOf(rollup, 'a')} as currency, ${sums('a')}
      from closed k
      join ${writes} a on ${isClosed(rollup)}
      where a.brand_id = $1 and ${isOf(owner)}
        and a.day between (select min(closed_from) - ${WEEK_BEGINS_BEFORE} from closed) and (select max(closed_to) from closed)
      group by 1, 2, 3, 4
    ) s ${cells}
    union all
    select ${period}, m.column_name, m.value, null, null
    from (
      select k.closing_id, k.booked_in, f.retailer_id, f.currency, ${sums('n')}
      from closed k
      join ops.closed_figures f on f.brand_id = $1 and f.closing_id = k.closing_id and f.rollup = '${name}'
      cross join lateral jsonb_to_record(f.figures) as n (${columns.map((one) => `${one} numeric`).join(', ')})
      where ${isOf('f.retailer_id')}
      group by 1, 2, 3, 4
    ) s ${cells}
    union all
    select k.closing_id, k.booked_in, a.retailer_id, a.currency, a.column_name, null, a.difference, null
    from closed k
    join ops.period_adjustments a on a.brand_id = $1 and a.closing_id = k.closing_id and a.rollup = '${name}'
    where ${isOf('a.retailer_id')}
  ) u
  group by ${period}, column_name
)`;
}

/** No partition that ends in a month begins earlier: days, ISO weeks, months. */
const WEEK_BEGINS_BEFORE = 6;

/** Parameters: $1 brand, $2 instant, $3 closing. */
export function sumsStatement(rollup: Closable, columns: readonly string[]): string {
  return `${sumsOf(rollup, { columns, periods: 'closing_id = $3' })}
select '${rollup.name}' as figure, r.slug as retailer, s.currency, s.column_name, trim_scale(s.closed)::text as closed,
       trim_scale(s.adjusted)::text as adjusted, trim_scale(s.present)::text as present, s.closed + s.adjusted = s.present as adds_up
from sums s
left join app.retailers r on r.brand_id = $1 and r.id = s.retailer_id
where s.adjusted <> 0 or s.closed + s.adjusted <> s.present
order by r.slug nulls first, s.currency, s.column_name`;
}

/**
 * Books what no merge has: rows that were deleted or replaced otherwise. $1 brand, $2 instant, $3 cause, $4 the owner or
 * null for all, $5 and $6 the first and the last day or null. With days, of the months that these touch, and of those in
 * which a merge of this instant has booked something: what it reached besides. Where frozen rows are lost it books nothing,
 * because the sums would take the loss for a change; it returns whose.
 */
export function bookStatement(rollup: Closable, columns: readonly string[]): string {
  const { name } = rollup;
  const periods = `($5::date is null or closed_to >= $5::date and closed_from <= $6::date or exists (
    select from ops.period_adjustments p
    where p.brand_id = $1 and p.closing_id = k.closing_id and p.rollup = '${name}' and p.booked_at >= $2))`;
  const isOf = (owner: string) => `($4::uuid is null or ${owner} = $4::uuid)`;
  return `${sumsOf(rollup, { columns, periods, isOf })}, lost as materialized (${lostOf({ closings: 'closed', rollup: name, isOf })}
), booked as (
  ${TARGET}
  select $1, closing_id, '${name}', retailer_id, column_name, currency, booked_in, $3 as cause,
         trim_scale(present - closed - adjusted), 1, $2::timestamptz
  from sums s
  where present <> closed + adjusted and not exists (
    select from lost l where l.closing_id = s.closing_id and l.retailer_id is not distinct from s.retailer_id)
  ${ADDS}
)${named('lost')}`;
}

/** Of those who change figures past the merge. */
export type BookedCause = Extract<Cause, 'mapping' | 'changed_definition'>;
