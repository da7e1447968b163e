/**
 * Generates the statement that brings a table of `agg` up to date from the descriptor of its rollup. It full-joins the
 * stored rows of the given partitions with the fresh ones, and deletes, inserts and updates where the two differ: a run
 * without differences writes nothing.
 *
 * A full join on the whole grain can only be hashed or merged, so regardless of statistics PostgreSQL cannot compare
 * each stored row with each fresh one. Obsolete rows are deleted by ctid, which another brand's row in another
 * partition of the table may share: so the brand is compared too, in a form that no index serves.
 */
import type { Cause } from './causes.ts';
import { adjustmentsOf, closedPeriods, isClosed } from './closed.ts';
import {
  causeOfRow,
  firstCause,
  isRestated,
  isTold,
  logOf,
  type Restating,
  toldDays,
  valuesOfRow,
} from './restate.ts';
import type { Periods, Rollup } from './rollup.ts';

export type Merged = Restating &
  Pick<
    Rollup,
    'writes' | 'keptFrom' | 'fresh' | 'handsOn' | 'names' | 'toBrandIf' | 'changed' | 'counts' | 'proof'
  >;

type Partitioned = Pick<Rollup, 'of' | 'periods' | 'object' | 'keptFrom'>;

/** Of brand $1 and retailers $2 uuid[]: the partitions of the rollup that $3 names. */
function wantedPartitions(rollup: Partitioned): string {
  return rollup.object === undefined ? wantedDays(rollup) : wantedObjects(rollup);
}

/** The days $3 date[] of the retailers, or the periods that these reach, with their bounds. */
function wantedDays({ of, periods, keptFrom }: Partitioned): string {
  const owner = of === 'brand' ? '' : 'retailer_id, ';
  return `
  select ${owner && 'r.id as retailer_id, '}pair.*, b.time_zone, b.reporting_currency,
         fact.day_start(pair.day, b.time_zone) as starts_at, fact.day_start(pair.next_day, b.time_zone) as ends_at
  from (
    select distinct ${owner && 'p.retailer_id as owner_id, '}${partitionsReached(periods, MARKED)}
  ) pair
  join app.brands b on b.id = $1${keptFrom ? ` and (pair.day >= fact.first_day_from(b.${keptFrom}, b.time_zone) or b.${keptFrom} is null)` : ''}
  ${owner && 'join app.retailers r on r.brand_id = $1 and r.id = pair.owner_id'}`;
}

const MARKED = 'unnest($2::uuid[], $3::date[]) as p (retailer_id, day)';
const MARKED_WHY = 'unnest($3::date[], $5::text[]) as p (day, why)';

/** Days, or the periods that they reach. Without any zone: a day is a date. */
function partitionsReached(periods: Periods | undefined, marked: string, also = ''): string {
  if (periods === undefined) return `p.day, p.day + 1 as next_day${also} from ${marked}`;
  const { kinds, since = 'null', ahead = 0 } = periods;
  return `k.period, begins::date as day, (begins + o.one)::date as next_day${also}
    from ${marked}
    cross join unnest('{${kinds}}'::text[]) as k (period)
    cross join lateral (select ('1 ' || k.period)::interval as one, least(${since}, p.day) as since) o
    cross join lateral generate_series(
      date_trunc(k.period, o.since::timestamp), date_trunc(k.period, p.day::timestamp) + ${ahead} * o.one, o.one) as begins`;
}

/** The cause of each partition, if one is given, by names that no row has. */
function givenCauses({ object, periods, grain }: Merged): string {
  const why = `${firstCause('why')} as given`;
  if (object)
    return `select object as of_object, ${why} from unnest($3::text[], $5::text[]) as p (object, why) group by object`;
  const [columns, key] = grain.includes('period')
    ? ['period as of_period, day as of_day', 'period, day']
    : ['day as of_day', 'day'];
  return `select ${columns}, ${why}
  from (select ${partitionsReached(periods, MARKED_WHY, ', p.why')}) p group by ${key}`;
}

function isGiven({ object, grain }: Merged): string {
  if (object) return `g.of_object = ${nameOfObject(object)}`;
  return `g.of_day = day${grain.includes('period') ? ' and g.of_period = period' : ''}`;
}

/** The objects $3 text[] of the retailers, in the form of marks. */
function wantedObjects({ of }: Partitioned): string {
  const owner = of === 'brand' ? '' : 'retailer_id, ';
  return `
  select ${owner && 'r.id as retailer_id, '}pair.connection_id, pair.object, b.time_zone, b.reporting_currency
  from (
    select distinct ${owner}split_part(object, ' ', 1)::uuid as connection_id,
                    substr(object, strpos(object, ' ') + 1) as object
    from unnest($2::uuid[], $3::text[]) as p (retailer_id, object)
  ) pair
  join app.brands b on b.id = $1
  ${owner && 'join app.retailers r on r.brand_id = $1 and r.id = pair.retailer_id'}`;
}

/** The same for each connection of the owner: an index of `raw` begins with one. */
function spansOf({ of, object }: Partitioned): string {
  const owned =
    of === 'brand' ? "c.level = 'brand' and c.removing_at is null" : 'c.retailer_id = w.retailer_id';
  return `
  select w.*${object ? '' : ', c.id as connection_id'}
  from wanted w
  join app.connections c on c.brand_id = $1 and ${object ? 'c.id = w.connection_id and ' : ''}${owned}`;
}

/** The stored rows of `wanted`. */
export function storedRows({
  writes,
  grain,
  object,
  of,
}: Pick<Merged, 'writes' | 'grain' | 'object' | 'of'>): string {
  const owned = of === 'brand' ? '' : 'and a.retailer_id = w.retailer_id';
  const bounds = object
    ? `a.connection_id = w.connection_id and a.${object} >= w.object and a.${object} <= w.object`
    : `${grain.includes('period') ? 'a.period = w.period and ' : ''}a.day >= w.day and a.day <= w.day`;
  return `
  select s.*
  from wanted w
  cross join lateral (
    select a.*, a.ctid as place from ${writes} a
    where a.brand_id = $1 ${owned} and ${bounds}
    order by a.${object ?? 'day'}
  ) s`;
}

/** The given partitions, and the same for each connection. */
export function partitionsQuery(rollup: Partitioned): string {
  return `with wanted as materialized (${wantedPartitions(rollup)}
), spans as materialized (${spansOf(rollup)}
)`;
}

/** The fresh rows of the given partitions: what a report of them would select. */
export function freshQuery(rollup: Partitioned & Pick<Rollup, 'fresh'>): string {
  return `${partitionsQuery(rollup)}, fresh as materialized (
${rollup.fresh}
)`;
}

/** The objects of days, in the form of marks. Parameters: $1 brand, $2 uuid[] retailers, $3 date[] days. */
export function objectsStatement({ of }: Pick<Rollup, 'of'>, objects: string): string {
  return `${partitionsQuery({ ...(of && { of }) })}
select distinct connection_id || ' ' || object as object from (
${objects}
) o order by 1`;
}

/**
 * Parameters: $1 brand, $2 uuid[] retailers, $3 date[] days or text[] objects, $4 the instant of the run, $5 text[] the
 * known cause of each partition, $6 the job, $7 how many cells are logged one by one.
 */
export function mergeStatement(rollup: Merged): string {
  const { writes, grain, measures, counts } = rollup;
  const key = grain.filter((column) => column !== 'brand_id');
  const columns = [...key, ...measures];
  const changed = [...measures, 'computed_at'].map((column) => `${column} = excluded.${column}`);
  const logs = isRestated(rollup);
  return `${freshQuery(rollup)}, stored as materialized (${storedRows(rollup)}
), given as materialized (${givenCauses(rollup)}
)${logs ? `, told as materialized (${toldDays(rollup)}\n), closed as materialized (${closedPeriods('$4')}\n)` : ''}, changes as materialized (
  select ${key}, ${listOf('f', measures)}, s.place, f.is_fresh${formerlyNamed(rollup)}, ${causeOfRow(rollup)} as why${logs ? `,\n    ${valuesOfRow(rollup)}` : ''}
  from stored s
  full join (select true as is_fresh, * from fresh) f using (${key})
  left join given g on ${isGiven(rollup)}${logs ? `\n  left join told t on ${isTold(rollup)}\n  left join closed k on ${isClosed(rollup)}` : ''}
  where s.place is null or f.is_fresh is null
     or (${listOf('s', measures)}) is distinct from (${listOf('f', measures)})
)${touchedPartitions(rollup)}${namedObjects(rollup)}${proofOf(rollup)}${logs ? logOf(rollup) + adjustmentsOf(rollup) : ''}, gone as (
  delete from ${writes}
  where ctid = any (array(select place from changes where is_fresh is null)) and (brand_id = $1) is true
  returning 1
), written as (
  insert into ${writes} (brand_id, ${columns}, computed_at)
  select $1, ${columns}, $4::timestamptz from changes where is_fresh
  on conflict (${grain}) do update set ${changed}
  returning 1
), parameters as (
  select $6::bigint, $7::int -- not every statement has another use for them
)
select (select count(*) from written) as written, (select count(*) from gone) as deleted,
  ${rollup.handsOn ? '(select array_agg(partition order by partition, why) from touched)' : 'null'} as touched,
  ${rollup.handsOn ? '(select array_agg(why order by partition, why) from touched)' : 'null'} as causes,
  ${rollup.names ? '(select count(*)::int from named where retailer_id is null)' : '0'} as named,
  ${rollup.proof ? '(select count(*)::int from proof where expected <> found)' : '0'} as wrong,
  ${logs ? '(select coalesce(sum(cells), 0)::int from restated)' : '0'} as restated,
  ${counts === undefined ? '0' : `(select coalesce(sum(${counts.column}), 0)::bigint from fresh)`} as counted`;
}

const GOES: Cause = 'mapping';

/**
 * Marks for the brand what a retailer's rows hand on once they are gone. Parameters: $1 brand, $2 retailer, $3 the
 * instant of the removal.
 */
export function markLeft(rollup: Merged): string {
  const { writes, name, names } = rollup;
  const all = `select * from ${writes}`;
  const touched = touchedPartitions(rollup).replaceAll('$4', '$3'); // the instant of a run, which this is none of
  const objects = (names ?? []).filter(({ of }) => of === 'brand');
  return `with stored as materialized (${all} where brand_id = $1 and retailer_id = $2
), fresh as materialized (${all} where false
), changes as materialized (select *, null as why from stored)${touched}
insert into ops.marks (brand_id, subject, ${handsOnObjects(rollup) ? 'object, day' : 'day, object'}, cause, marked_at)
select $1, '${name}', partition, null, '${GOES}', $3::timestamptz from touched${objects
    .map(
      ({ as, column }) => `
union all
select distinct $1, '${as}', null::date, connection_id || ' ' || ${column}, '${GOES}', $3::timestamptz from changes`,
    )
    .join('')}`;
}

/** Whether a rollup hands on objects instead of days. */
export function handsOnObjects({ object, handsOn }: Pick<Rollup, 'object' | 'handsOn'>): boolean {
  return object !== undefined && handsOn === 'changes';
}

/** Marks the objects that changed rows name or named. Here, because there may be very many. */
function namedObjects({ names, grain, toBrandIf = 'true' }: Merged): string {
  if (names === undefined) return '';
  const objects = names.map(({ column, as, of }) => {
    const ids = grain.includes(column) ? `(${column})` : `(${column}), (former_${column})`;
    return `
  select distinct $1::uuid, ${of === 'brand' ? 'null::uuid' : 'retailer_id'}, '${as}', connection_id || ' ' || n.id, why, $4::timestamptz
  from changes cross join lateral (values ${ids}) n (id)
  where n.id is not null${of === 'brand' ? ` and ${toBrandIf}` : ''}`;
  });
  return `, named as (
  insert into ops.marks (brand_id, retailer_id, subject, object, cause, marked_at)${objects.join('\n  union all')}
  returning retailer_id
)`;
}

/** What rows named before: by their key they name the same. */
function formerlyNamed({ names = [], grain }: Merged): string {
  return names
    .filter(({ column }) => !grain.includes(column))
    .map(({ column }) => `, s.${column} as former_${column}`)
    .join('');
}

/** Stores sums of the fresh rows beside those that they must equal: both by the snapshot of this statement. */
function proofOf({ name, proof }: Merged): string {
  if (proof === undefined) return '';
  return `, proof as materialized (
${proof}
), unproved as (
  delete from ops.figure_checks k using wanted w
  where k.brand_id = $1 and k.rollup = '${name}' and k.day = w.day
    and not exists (select from proof p where p.day = k.day and p.currency = k.currency)
), proved as (
  insert into ops.figure_checks as k (brand_id, rollup, day, currency, expected, found, checked_at)
  select $1, '${name}', day, currency, expected, found, $4::timestamptz from proof
  on conflict (brand_id, rollup, day, currency) do update
  set expected = excluded.expected, found = excluded.found, checked_at = excluded.checked_at
  where (k.expected, k.found) is distinct from (excluded.expected, excluded.found)
)`;
}

/** The partitions that readers of the table must recompute: by default those of the changes. */
function touchedPartitions({ handsOn, changed, object }: Merged): string {
  if (!handsOn) return '';
  const query =
    changed === undefined
      ? `select distinct ${object ? nameOfObject(object) : 'day'} as partition, why from changes`
      : // A query that says why has the column; for others it is that of `unknown`.
        `select distinct t.* from (select null as why) unknown
  cross join lateral (select day as partition, why from (${changed}
) q) t`;
  return `, touched as materialized (
${query}
)`;
}

/** The object of a row, as marks name it. */
function nameOfObject(object: string): string {
  return `connection_id || ' ' || ${object}`;
}

function listOf(row: string, columns: readonly string[]): string {
  return columns.map((column) => `${row}.${column}`).join(', ');
}
