/**
 * Rows of a snapshot, in scratch tables, beside the live ones or beside those of another snapshot. Rows are equal if their
 * text is: 1.0 is not 1.00. Which ones differ is found once, and noted in a table beside the scratch table.
 */
import type { Tx } from '../db/pool.ts';
import { isOf } from './parts.ts';
import { type Scratch, scratchName } from './scratch.ts';
import type { SnapshotTable } from './tables.ts';

/** What is compared: all rows of the scratch table, with the live ones of the brand that `only` selects. */
export type Compared = { scratch: Scratch; table: SnapshotTable; brandId: string; only: string };

/** Two sets of rows of a table, as queries; `all` has those that are equal too, as far as they are known, and a `side`. */
export type Sides = { scratch: Scratch; table: SnapshotTable; one: string; other: string; all: string };

export type Difference = {
  onlyOne: number;
  onlyOther: number;
  changed: number;
  /** Whose rows differ, where the table has them. */
  connections: string[];
};

/** Sums that differ; `more` is what the other has more than the one. */
export type MoneyDifference = { column: string; currency: string; one: string; other: string; more: string };

/** The one is the snapshot, the other what is live. */
export function besideLive({ scratch, table, brandId, only }: Compared): Sides {
  const columns = columnsOf(table);
  const kept = scratchName(scratch, table.name);
  const live = `from ${table.name} where ${isOf(table, brandId)}`;
  return {
    ...{ scratch, table },
    one: `select ${columns} from ${kept}`,
    other: `select ${columns} ${live} and ${only}`,
    all: `select 'one' as side, ${columns} from ${kept}
      union all select case when ${only} then 'other' else 'both' end, ${columns} ${live}`,
  };
}

/** Only rows that may differ are in the scratch tables, so sums are of these. */
export function besideEachOther(table: SnapshotTable, scratch: Scratch, other: Scratch): Sides {
  const columns = columnsOf(table);
  const [first, second] = [scratchName(scratch, table.name), scratchName(other, table.name)];
  return {
    ...{ scratch, table },
    one: `select ${columns} from ${first}`,
    other: `select ${columns} from ${second}`,
    all: `select 'one' as side, ${columns} from ${first} union all select 'other', ${columns} from ${second}`,
  };
}

/** The keys of rows that differ, with how many there are of them on either side: `ones` and `others`. */
export function differingName(scratch: Scratch, { name }: SnapshotTable): string {
  return `${scratchName(scratch, name)}_differing`;
}

export async function differenceOf(tx: Tx, sides: Sides): Promise<Difference> {
  const { scratch, table } = sides;
  const differing = differingName(scratch, table);
  const hasConnections = table.columns.some(({ name }) => name === 'connection_id');
  await tx.query(
    `create unlogged table ${differing} as ${table.key.length > 0 ? byKey(sides) : byText(sides)}`,
  );
  await tx.query(`analyze ${differing}`);
  const { rows } = await tx.query<Difference>(`
    select coalesce(sum(greatest(ones - others, 0)), 0) as "onlyOne",
           coalesce(sum(greatest(others - ones, 0)), 0) as "onlyOther",
           count(*) filter (where ones = others) as changed,
           ${hasConnections ? 'coalesce(array_agg(distinct connection::text), array[]::text[])' : 'array[]::text[]'} as connections
    from ${differing}`);
  return rows[0] ?? { onlyOne: 0, onlyOther: 0, changed: 0, connections: [] };
}

/** Text is made only of rows whose bytes differ: to make that of all takes ten times as long as all the rest. */
function byKey({ table, one, other }: Sides): string {
  const key = table.key.map(({ name }) => name);
  const isConnected = table.columns.some(({ name }) => name === 'connection_id');
  return `
    select ${key.map((name) => `coalesce(a.${name}, b.${name}) as ${name}`).join(', ')},
           (a.is_there is not null)::int as ones, (b.is_there is not null)::int as others
           ${isConnected ? ', coalesce(a.connection_id, b.connection_id) as connection' : ''}
    from (select true as is_there, * from (${one}) r) a
    full join (select true as is_there, * from (${other}) r) b on ${key.map((name) => `a.${name} = b.${name}`).join(' and ')}
    where a.is_there is null or b.is_there is null
       or record_image_ne(${rowOf(table, 'a')}, ${rowOf(table, 'b')}) and ${textOf(table, 'a')} <> ${textOf(table, 'b')}`;
}

/** Without a key a row is its text, of which there may be several. */
function byText({ table, one, other }: Sides): string {
  const isConnected = table.columns.some(({ name }) => name === 'connection_id');
  const counted = (side: string) => `
    select ${textOf(table, 'r')} as row_text, count(*) as rows ${isConnected ? ', min(r.connection_id::text) as connection' : ''}
    from (${side}) r group by 1`;
  return `
    select row_text, coalesce(a.rows, 0)::int as ones, coalesce(b.rows, 0)::int as others
           ${isConnected ? ', coalesce(a.connection, b.connection) as connection' : ''}
    from (${counted(one)}) a full join (${counted(other)}) b using (row_text)
    where a.rows is distinct from b.rows`;
}

/** Whether a row is one of those noted as `d`. */
export function isNoted(table: SnapshotTable, row: string): string {
  if (table.key.length === 0) return `d.row_text = ${textOf(table, row)}`;
  return table.key.map(({ name }) => `d.${name} = ${row}.${name}`).join(' and ');
}

/** What is equal in equal rows. */
function textOf(table: SnapshotTable, row: string): string {
  return `${rowOf(table, row)}::text collate "C"`;
}

function rowOf({ columns }: SnapshotTable, row: string): string {
  return `row(${columns.map(({ name }) => `${row}.${name}`).join(', ')})`;
}

function columnsOf({ columns }: SnapshotTable): string {
  return columns.map(({ name }) => name).join(', ');
}

/** Nobody asks for the sum of these. */
const NO_AMOUNTS = /(^|_)(rate|percentage|percent_off|coverage|error|score|growth|quantity)$/;

/** What the amounts of rows that may differ come to, by currency. */
export async function moneyOf(tx: Tx, { table, all }: Sides): Promise<MoneyDifference[]> {
  const amounts = table.columns
    .filter(({ name, type }) => type.startsWith('numeric') && !NO_AMOUNTS.test(name))
    .map(({ name }) => name);
  if (amounts.length === 0 || !table.columns.some(({ name }) => name === 'currency')) return [];
  const sum = (name: string, not: string) => `coalesce(sum(${name}) filter (where side <> '${not}'), 0)`;
  const { rows } = await tx.query<MoneyDifference>(`
    with sums as materialized (
      select currency::text as currency,
             ${amounts.map((name, at) => `${sum(name, 'other')} as one_${at}, ${sum(name, 'one')} as other_${at}`).join(', ')}
      from (${all}) r
      group by 1
    )
    select "column", currency, trim_scale(one)::text as one, trim_scale(other)::text as other,
           trim_scale(other - one)::text as more
    from sums
    cross join lateral (
      values ${amounts.map((name, at) => `('${name}', one_${at}, other_${at})`).join(', ')}) as m ("column", one, other)
    where one <> other order by "column", currency`);
  return rows;
}
