/** Generates the statements that explain figures, from what their rollup says of them. */
import { partitionsQuery, storedRows } from '../rollups/merge.ts';
import type { Rollup } from '../rollups/rollup.ts';
import type { Explanation, Part } from './explanation.ts';

export type Explained = Rollup & { explains: Explanation };

export function isExplained(rollup: Rollup): rollup is Explained {
  return typeof rollup.explains === 'object';
}

/** The columns of a cell by which it is found. */
export function keyOf({ grain }: Pick<Rollup, 'grain'>): string[] {
  return grain.filter((column) => column !== 'brand_id');
}

/** The columns that parts add to, in the order of the table. */
export function sumsOf({ explains, measures }: Explained): string[] {
  return measures.filter((column) =>
    explains.parts.some(({ adds, unknown = {} }) => column in adds || column in unknown),
  );
}

/** The others, which are compared with a fresh row. */
export function othersOf(rollup: Explained): string[] {
  const sums = sumsOf(rollup);
  return rollup.measures.filter((column) => !sums.includes(column));
}

/** Says whether a part makes the column unknown. No column of a table is called so. */
const flag = (column: string) => `"${column}?"`;

/**
 * The steps of a query, which end with the last line that is `)`; its last select follows. Each can be read by name.
 */
export function stepsOf({ name, fresh }: Pick<Rollup, 'name' | 'fresh'>): string {
  const begin = /^with /m.exec(fresh);
  const end = fresh.lastIndexOf('\n)\n');
  if (begin === null || end < 0) throw new TypeError(`${name}.sql has no steps that could explain it`);
  return fresh.slice(begin.index + 'with '.length, end + '\n)'.length);
}

/**
 * The cells of the partitions, each with the sums of its parts and the other columns as they are computed now: what should
 * be there, and what is. Parameters as of a merge, and $5 jsonb: the key of the cells, or what is known of it.
 */
export function cellsStatement(rollup: Explained): string {
  const key = keyOf(rollup);
  const sums = sumsOf(rollup);
  const others = othersOf(rollup);
  return `${partsQuery(rollup)}, fresh as materialized (
${others.length > 0 ? rollup.fresh : `select * from ${rollup.writes} where false`}
), summed as (
  select true as has_parts, ${key}, count(*)::int as parts,
         ${sums.map((column) => `sum(${column}) as ${column}, bool_or(${flag(column)}) as ${flag(column)}`)}
  from parts group by ${key}
), cells as (
  select true as is_stored, * from (${storedCells(rollup)}) s
)
select ${key.map((column) => `${column}::text as ${column}`)}, coalesce(s.parts, 0) as parts, c.computed_at,
       (select jsonb_object_agg(e.key, e.value) from jsonb_each_text(to_jsonb(c) - '{is_stored,place,brand_id}'::text[]) e) as cell,
       jsonb_build_array(${sums.map((column) => comparison(rollup.explains, column))}) as sums,
       jsonb_build_array(${others.map(comparisonWithFresh)}) as others,
       $4::timestamptz as as_of
from cells c
full join summed s using (${key})
full join fresh f using (${key})
where ${ofKey(key)}
order by ${key}`;
}

/** Those of the partitions; all of the brand where figures are of no day, as in a view. */
function storedCells(rollup: Explained): string {
  const { writes, grain, object } = rollup;
  if (object !== undefined || grain.includes('day')) return storedRows(rollup);
  return `select * from ${writes} where brand_id = $1`;
}

/** The stored figure beside what its parts add up to. */
function comparison({ settles = {}, within = {} }: Explanation, column: string): string {
  const settled = `(select ${settles[column] ?? 'total'} from (select coalesce(s.${column}, 0) as total) t)`;
  const differs = within[column]
    ? `abs(c.${column} - ${settled}) > ${within[column]}`
    : `c.${column} <> ${settled}`;
  // A figure that nothing adds to may be 0, or null where 0 would say too much.
  return `jsonb_build_object('column', '${column}',
    'parts', case when not coalesce(s.${flag(column)}, false) then trim_scale(${settled}::numeric)::text end,
    'cell', trim_scale(c.${column}::numeric)::text,
    'agrees', case
      when c.is_stored is null then not coalesce(s.${flag(column)}, false) and ${settled} = 0
      when s.${flag(column)} then c.${column} is null
      when s.${column} is null then coalesce(c.${column}, 0) = 0
      else not coalesce(${differs}, true) end)`;
}

/** The stored column beside what it is now. */
function comparisonWithFresh(column: string): string {
  return `jsonb_build_object('column', '${column}', 'fresh', f.${column}::text, 'cell', c.${column}::text,
    'agrees', c.${column} is not distinct from f.${column})`;
}

/**
 * The parts of a cell, largest first, and in a last row the sum of those that are left out. Parameters as of
 * `cellsStatement`, and $6: how many at most. With a column, only the parts that add to it.
 */
export function partsStatement(rollup: Explained, column?: string): string {
  const sums = sumsOf(rollup);
  const added = column === undefined ? sums : [column];
  const size = `greatest(${added.map((one) => `abs(${one})`)}, 0)`;
  const adds = (of: (sum: string) => string) =>
    `jsonb_strip_nulls(jsonb_build_object(${sums.map((one) => `'${one}', ${of(one)}`)}))`;
  const unknown = `array_remove(array[${sums.map((one) => `case when ${flag(one)} then '${one}' end`)}]::text[], null)`;
  return `${partsQuery(rollup)}, chosen as (
  select *, ${unknown} as unknown_columns, row_number() over (order by ${size} desc, part, at, source_id, id) as place
  from parts
  where ${ofKey(keyOf(rollup))} and (${added.map((one) => `${one} is not null or ${flag(one)}`).join(' or ')})
)
select * from (
  select place, part, source_id as connection_id, id, at, kind, object_id, tells, ${adds((one) => `trim_scale(${one})::text`)} as adds,
         unknown_columns as unknown, next, 1 as rows, $4::timestamptz as as_of
  from chosen where place <= $6
  union all
  select null, null, null, null, null, null, null, null, ${adds((one) => `trim_scale(sum(${one}))::text`)}, null, null,
         count(*)::int, null
  from chosen where place > $6
  having count(*) > 0
) p
order by place`;
}

/** Whether a row belongs to the key in $5. */
function ofKey(key: readonly string[]): string {
  return `jsonb_build_object(${key.map((column) => `'${column}', ${column}::text`)}) @> $5::jsonb`;
}

/** `parts`: all rows that figures of the partitions are made of. */
function partsQuery(rollup: Explained): string {
  const { explains, name, fresh } = rollup;
  const key = keyOf(rollup);
  const sums = sumsOf(rollup);
  const whole = explains.parts.some(({ from }) => /\bfresh\b/.test(from)) ? `, fresh as (\n${fresh}\n)` : '';
  return `${partitionsQuery(rollup)}, parts as materialized (
  with ${stepsOf({ name, fresh })}${whole}
  select ${key}, part, source_id, id, kind, object_id, min(at) as at, (array_agg(tells order by tells desc))[1] as tells,
         (array_agg(next order by next))[1] as next,
         ${sums.map((column) => `sum(${column}) as ${column}, bool_or(${flag(column)}) as ${flag(column)}`)}
  from (
${explains.parts.map((part) => partQuery(part, key, sums)).join('\n    union all\n')}
  ) p
  where num_nonnulls(${sums}) > 0 or (${sums.map((column) => `${flag(column)}`).join(' or ')})
  group by ${key}, part, source_id, id, kind, object_id
)`;
}

function partQuery(part: Part, key: readonly string[], sums: readonly string[]): string {
  const {
    is,
    from,
    id,
    at = 'null',
    connection = 'connection_id',
    object,
    tells = {},
    adds,
    unknown = {},
    next,
  } = part;
  const objectOf = (pairs: Readonly<Record<string, string>>) =>
    `jsonb_build_object(${Object.entries(pairs).map(([name, sql]) => `'${name}', (${sql})::text`)})`;
  return `    select ${key.map((column) => `${part.key?.[column] ?? column} as ${column}`)}, '${is}' as part,
           (${connection})::uuid as source_id, (${id})::text as id, ${object ? `'${object.kind}'` : 'null'} as kind,
           ${object ? `(${object.id ?? id})::text` : 'null'} as object_id, (${at})::timestamptz as at,
           ${Object.keys(tells).length > 0 ? objectOf(tells) : 'null::jsonb'} as tells,
           ${next ? `jsonb_build_object('explain', '${next.explain}', 'key', ${objectOf(next.key ?? {})})` : 'null::jsonb'} as next,
           ${sums.map((column) => `(${adds[column] ?? 'null'})::numeric as ${column}, coalesce(${unknown[column] ?? 'false'}, false) as ${flag(column)}`).join(',\n           ')}
    from ${from}`;
}
