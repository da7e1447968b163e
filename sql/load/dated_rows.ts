/**
 * Loads rows without a current version into `raw`: events, figures of days, readings of counters. No stored row is
 * looked up before; one statement writes new rows and returns the days that they touch.
 */
import { copyLines, lineColumns } from '../db/copy.ts';
import type { Tx } from '../db/pool.ts';
import { type Mark, markPartitions } from '../dirty/marks.ts';
import { linesOf } from './lines.ts';
import type { LoadScope } from './load_lock.ts';
import type { PackedItem } from './pack.ts';
import {
  contentDiffers,
  earlierRow,
  listOf,
  markedColumns,
  type NamedStatement,
  stagingName,
  statement,
  statementsOf,
} from './statements.ts';
import type { Keeps, Table } from './table.ts';

export type DatedKeeps = Exclude<Keeps, 'history'>;
export type DatedTable = Table & { keeps: DatedKeeps };

export type DatedLoad = {
  tx: Tx;
  brandId: string;
  connectionId: string;
  tables: readonly Table[];
  scope: LoadScope;
  now: Date;
};

/** Whether the rows of a root table are loaded this way. */
export function isDated(table: Table | undefined): table is DatedTable {
  return table?.keeps !== undefined && table.keeps !== 'history';
}

/** Returns the written rows, and the marks. */
export async function writeDatedRows(
  { tx, brandId, connectionId, tables, scope, now }: DatedLoad,
  table: DatedTable,
  items: readonly PackedItem[],
): Promise<{ changed: number; days: number }> {
  if (tables.length > 1)
    throw new TypeError(`${table.name} keeps ${table.keeps}, which have no rows below them`);
  const staging = statementsOf(tables).tables.get(table);
  if (staging === undefined || items.length === 0) return { changed: 0, days: 0 };
  await tx.query(staging.prepareStaging);
  // Oldest first, so that the later of two readings of a day in one page wins.
  const inOrder = items.toSorted((one, other) => one.changedAt.getTime() - other.changedAt.getTime());
  await copyLines(tx, staging.copyToStaging, linesOf(table, inOrder));
  const { rows } = await tx.query<{ written: number; marks: Mark[] }>({
    ...writeStatement(table),
    values: [brandId, connectionId, scope.timeZone, now, scope.accountZone],
  });
  const { written = 0, marks = [] } = rows[0] ?? {};
  const { owners, timeZone, cause = null } = scope;
  return {
    changed: written,
    days: await markPartitions(tx, { brandId, owners, timeZone, cause, now }, { marks }),
  };
}

const made = new WeakMap<Table, NamedStatement>();

function writeStatement(table: DatedTable): NamedStatement {
  let known = made.get(table);
  if (known === undefined) {
    known = makeStatement(table);
    made.set(table, known);
  }
  return known;
}

function makeStatement(table: DatedTable): NamedStatement {
  const { name, key, keeps } = table;
  const columns = lineColumns(table);
  const isCounter = keeps === 'counters';
  return statement(`
    with written as (
      insert into ${name} as t (brand_id, connection_id, ${columns.join(', ')}, changed_at, seen_at)
      select $1::uuid, $2::uuid, ${listOf('s', columns)}, s.changed_at, $4::timestamptz
      from ${stagingName(table)} s
      ${isCounter ? `left join ${earlierRow(table)} where ${contentDiffers(table)}` : ''}
      on conflict (brand_id, connection_id, ${key.join(', ')}) ${keeps === 'days' ? replacement(table) : 'do nothing'}
      returning t.*
    ), touched as (
      select * from written ${isCounter ? `union all ${nextReadings(table)}` : ''}
    )
    select (select count(*)::int from written) as written,
           (select coalesce(jsonb_agg(distinct jsonb_build_object('subject', i.subject, 'day', i.day, 'object', i.object)), '[]')
            from touched o cross join (select $3::text as zone, $5::text as account_zone) z
            cross join lateral (values ${marksOf(table)}) as i (subject, day, object)
            where num_nonnulls(i.day, i.object) > 0) as marks`);
}

/** A later reading of the same day replaces a different one. */
function replacement(table: DatedTable): string {
  const figures = Object.keys(table.columns).filter((column) => !table.key.includes(column));
  const written = [...figures, 'changed_at', 'seen_at'].map((column) => `${column} = excluded.${column}`);
  const differs = figures.map((column) => `t.${column} is distinct from excluded.${column}`);
  return `do update set ${written.join(', ')} where t.changed_at <= excluded.changed_at and (${differs.join(' or ')})`;
}

/** A reading in between changes the amount that was added up to the next reading. */
function nextReadings({ name, key }: DatedTable): string {
  const [at, thing] = [key.at(-1), key.slice(0, -1)];
  return `
      select n.* from written w
      cross join lateral (
        select * from ${name} o
        where o.brand_id = $1 and o.connection_id = $2
          and (${listOf('o', thing)}) = (${listOf('w', thing)}) and o.${at} > w.${at}
        order by ${listOf('o', key)} limit 1
      ) n`;
}

/** A row that can change marks by columns of its key only: otherwise its old value would have to be read. */
function marksOf(table: DatedTable): string {
  const { name, key, keeps, marks = {} } = table;
  const stray = Object.keys(marks).find((column) => !key.includes(column));
  if (keeps === 'days' && stray !== undefined)
    throw new TypeError(`${name} marks by ${stray}, which is not in its key`);
  const marked = markedColumns(table, { zone: 'z.zone', connection: '$2::uuid' });
  if (table.marksAccountDays) marked.push(...accountDays(table));
  return marked.length === 0 ? '(null, null::date, null)' : marked.join(', ');
}

/** The account's own day of each marked instant, and the first and the last of the brand's days that it meets. */
function accountDays({ columns, marks = {} }: DatedTable): string[] {
  const start = (day: string) => `fact.day_start(${day}, z.account_zone)`;
  return Object.entries(marks).flatMap(([column, subject]) => {
    if (columns[column] !== 'timestamptz') return [];
    const day = `(o.${column} at time zone z.account_zone)::date`;
    const first = `(${start(day)} at time zone z.zone)::date`;
    const last = `((${start(`${day} + 1`)} - interval '1 microsecond') at time zone z.zone)::date`;
    return [day, first, last].map(
      (touched) => `('${subject}', case when z.account_zone <> z.zone then ${touched} end, null)`,
    );
  });
}
