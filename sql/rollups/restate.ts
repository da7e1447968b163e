/**
 * The part of the merge that logs what was final and has changed: one row for each cell, which is a column of a row. A day
 * is final once it was told so (`ops.final_days`), so its first computation is none. The causes of changes are known
 * here too: those of marks, else what the rules of the descriptor find in the row.
 */
import { CAUSES, type Cause, DEFINITIONS, REBUILT, UNKNOWN } from './causes.ts';
import type { Rollup } from './rollup.ts';

export type Restating = Pick<
  Rollup,
  | 'name'
  | 'of'
  | 'grain'
  | 'measures'
  | 'object'
  | 'periods'
  | 'causes'
  | 'causesOfColumns'
  | 'nonAdditive'
  | 'isIntermediate'
  | 'keepsRates'
>;

export const RATE = 'fx_rate';

/** Objects belong to no day. */
export function isRestated({ object, isIntermediate }: Restating): boolean {
  return object === undefined && !isIntermediate;
}

/** Of two causes of one partition the one that counts, as SQL. */
export const firstCause = (column: string): string =>
  `(array_agg(${column} order by array_position(array['${CAUSES.join("', '")}'], ${column})))[1]`;

/** They explain each row, whatever it says. */
const BEFORE_RULES: readonly Cause[] = [...DEFINITIONS, 'revised_rate', REBUILT];

/**
 * The cause of a changed row; `s` is the stored one, `f` the fresh one, `g` what was given. What is given of a day is of
 * some of its rows, so the row itself comes first; what is given of an object is of all its rows.
 */
export function causeOfRow({ causes = {}, object }: Restating): string {
  const rules = Object.entries(causes).map(([cause, condition]) => `when ${condition} then '${cause}'`);
  if (rules.length === 0) return 'g.given';
  if (object) return `coalesce(g.given, case ${rules.join(' ')} end)`;
  return `coalesce(case when ${isOneOf('g.given', BEFORE_RULES)} then g.given ${rules.join(' ')} end, g.given)`;
}

const isOneOf = (column: string, causes: readonly Cause[]) => `${column} in ('${causes.join("', '")}')`;

/** From when until when the days of each owner were told to be final. */
export function toldDays({ name, of }: Restating): string {
  return `
  select d.retailer_id as owner, d.final_from, d.final_to
  from ops.rollups r
  join ops.final_days d on d.brand_id = $1 and d.figures = r.figures
   and ${of === 'brand' ? 'd.retailer_id is null' : 'd.retailer_id = any ($2::uuid[])'}
  where r.rollup = '${name}'`;
}

/** Joins the told days with a row if all days of its partition are among them. */
export function isTold(rollup: Restating): string {
  const owned = rollup.of === 'brand' ? '' : 't.owner = retailer_id and ';
  return `${owned}${lastDay(rollup)} between t.final_from and t.final_to`;
}

/** Of the partition of a row. */
export function lastDay({ periods, grain }: Restating): string {
  if (periods === undefined) return 'day';
  const kind = grain.includes('period') ? 'period' : `'${periods.kinds[0]}'`;
  return `((day + ('1 ' || ${kind})::interval)::date - 1)`;
}

/** The old and new numbers of a row that is told or closed (closed.ts); null for others. */
export function valuesOfRow(rollup: Restating): string {
  const columns = numbersOf(rollup);
  const values = (row: string) =>
    `case when t.final_to is not null or k.closing_id is not null
      then (select to_jsonb(m) from (select ${columns.map((one) => `${row}.${one}`)}) m) end`;
  return `t.final_to is not null as is_told, k.closing_id, k.booked_in,
    ${values('s')} as old_values, ${values('f')} as new_values`;
}

export function numbersOf({ measures, nonAdditive = [] }: Restating): string[] {
  return measures.filter((measure) => !nonAdditive.includes(measure));
}

/** What tells rows of an owner and a day apart, as JSON. */
export function restOfKey({ grain }: Restating, row: string): string {
  const rest = grain.filter((column) => !['brand_id', 'retailer_id', 'day'].includes(column));
  return `jsonb_build_object(${rest.map((column) => `'${column}', ${row}.${column}`).join(', ')})`;
}

/** The retailer of a row of brand $1, where it has one: `owner_id` may be the brand itself. */
export function ownerOf({ grain }: Restating, row: string): string {
  if (grain.includes('retailer_id')) return `${row}.retailer_id`;
  return grain.includes('owner_id') ? `nullif(${row}.owner_id, $1::uuid)` : 'null::uuid';
}

export function currencyOf({ grain, measures }: Restating, row: string): string {
  return [...grain, ...measures].includes('currency') ? `${row}.currency` : 'null::text';
}

/**
 * Writes the log. No row is as good as one of zeros; of a rate there is no such thing. A change of more cells than $7
 * is summed up by column and currency: so the log has a bound, and its differences add up all the same. $6 is the job.
 */
export function logOf(rollup: Restating): string {
  const { name, keepsRates } = rollup;
  const number = (row: string, isMissing: string) => `
      case when ${isMissing} then 0 when jsonb_typeof(${row}) = 'number' then (${row} #>> '{}')::numeric end`;
  const sum = (column: string) =>
    `trim_scale(sum(${column})${keepsRates ? ` filter (where column_name <> '${RATE}')` : ''})`;
  return `, cells as materialized (
  select ${ownerOf(rollup, 'c')} as retailer_id, day, ${lastDay(rollup)} as last_day, ${restOfKey(rollup, 'c')} as key,
         m.name as column_name, v.old_value, v.new_value, ${currencyOf(rollup, 'c')} as currency,
         ${causeOfCell(rollup)} as cause, c.is_told, c.closing_id, c.booked_in
  from changes c
  cross join lateral jsonb_each(c.new_values) as m (name, value)
  cross join lateral (select ${number('(c.old_values -> m.name)', 'c.place is null')} as old_value,
    ${number('m.value', 'c.is_fresh is null')} as new_value) v
  where 'number' in (jsonb_typeof(c.old_values -> m.name), jsonb_typeof(m.value))
    and v.old_value is distinct from v.new_value${
      keepsRates ? `\n    and (m.name <> '${RATE}' or c.place is not null and c.is_fresh)` : ''
    }
), few as materialized (
  select count(*) filter (where is_told) <= $7::int as are_few from cells
), restated as (
  insert into ops.restatements (brand_id, retailer_id, rollup, day, last_day, key, column_name, old_value, new_value,
    difference, currency, cause, cells, job_id, restated_at)
  select $1, retailer_id, '${name}', day, last_day, key, column_name, old_value, new_value,
         trim_scale(coalesce(new_value, 0) - coalesce(old_value, 0)), currency, cause, 1, $6::bigint, $4::timestamptz
  from cells where is_told and (select are_few from few)
  union all
  select $1, retailer_id, '${name}', min(day), max(last_day), null, column_name, ${sum('old_value')}, ${sum('new_value')},
         ${sum('coalesce(new_value, 0) - coalesce(old_value, 0)')}, currency, cause, count(*), $6::bigint, $4::timestamptz
  from cells where is_told and not (select are_few from few)
  group by retailer_id, column_name, currency, cause
  returning cells
)`;
}

function causeOfCell({ causesOfColumns = {}, keepsRates }: Restating): string {
  const own = { ...(keepsRates && { [RATE]: 'revised_rate' }), ...causesOfColumns };
  const columns = Object.entries(own).map(([column, cause]) => `when '${column}' then '${cause}'`);
  const rebuilt = `when c.why = '${REBUILT}' then 'changed_definition'`;
  if (columns.length === 0) return `case ${rebuilt} else coalesce(c.why, '${UNKNOWN}') end`;
  return `case ${rebuilt} when ${isOneOf('c.why', DEFINITIONS)} then c.why
              else coalesce(case m.name ${columns.join(' ')} end, c.why, '${UNKNOWN}') end`;
}
