/**
 * Rows of a snapshot, in scratch tables, beside the live ones or beside those of another snapshot. Rows are equal if their
 * text is: 1.0 is not 1.00.
 */
import type { Tx } from '../db/pool.ts';
import { isOf } from './parts.ts';
import { type Scratch, scratchName } from './scratch.ts';
import type { SnapshotTable } from './tables.ts';

/** What is compared: all rows of the scratch table, with the live ones of the brand that `only` selects. */
export type Compared = { scratch: Scratch; table: SnapshotTable; brandId: string; only: string };

/** Two sets of rows of a table, as queries; `all` has those that are equal too, as far as they are known, and a `side`. */
export type Sides = { table: SnapshotTable; one: string; other: string; all: string };

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
    table,
    one: `select ${columns} from ${kept}`,
    other: `select ${columns} ${live} and ${only}`,
    all: `select 'one' as side, ${columns} from ${kept}
      union all select case when ${only} then 'other' else 'both' end, ${columns} ${live}`,
  };
}

/** Only rows that may differ are in the scratch tables, so sums are of these. */
export function besideEachOther(table: SnapshotTable, one: Scratch, other: Scratch): Sides {
  const columns = columnsOf(table);
  const [first, second] = [scratchName(one, table.name), scratchName(other, table.name)];
  return {
    table,
    one: `select ${columns} from ${first}`,
    other: `select ${columns} from ${second}`,
    all: `select 'one' as side, ${columns} from ${first} union all select 'other', ${columns} from ${second}`,
  };
}

export async function differenceOf(tx: Tx, { table, one, other }: Sides): Promise<Difference> {
  const hasConnections = table.columns.some(({ name }) => name === 'connection_id');
  const { rows } = await tx.query<Difference>(`
    with a as (select ${keyed(table, 'a')}, * from (${one}) a),
    b as (select ${keyed(table, 'b')}, * from (${other}) b)
    select count(*) filter (where b.compared is null) as "onlyOne",
           count(*) filter (where a.compared is null) as "onlyOther",
           count(*) filter (where a.compared <> b.compared) as changed,
           ${hasConnections ? 'coalesce(array_agg(distinct coalesce(a.connection_id, b.connection_id)::text), array[]::text[])' : 'array[]::text[]'} as connections
    from a full join b on ${['same', ...table.key.map(({ name }) => name)].map((name) => `a.${name} = b.${name}`).join(' and ')}
    where a.compared is distinct from b.compared`);
  return rows[0] ?? { onlyOne: 0, onlyOther: 0, changed: 0, connections: [] };
}

/** `same`: the row itself and how many before are equal, where there is no key. */
function keyed(table: SnapshotTable, row: string): string {
  const text = textOf(table, row);
  if (table.key.length > 0) return `${text} as compared, true as same`;
  return `${text} as compared, ${text} || ' ' || row_number() over (partition by ${text}) as same`;
}

/** What is equal in equal rows. */
export function textOf({ columns }: SnapshotTable, row: string): string {
  return `row(${columns.map(({ name }) => `${row}.${name}`).join(', ')})::text collate "C"`;
}

function columnsOf({ columns }: SnapshotTable): string {
  return columns.map(({ name }) => name).join(', ');
}

export async function moneyOf(tx: Tx, { table, all }: Sides): Promise<MoneyDifference[]> {
  const amounts = table.columns.filter(({ type }) => type.startsWith('numeric')).map(({ name }) => name);
  if (amounts.length === 0 || !table.columns.some(({ name }) => name === 'currency')) return [];
  const { rows } = await tx.query<MoneyDifference>(`
    with sums as (
      select m.name as "column", r.currency::text as currency,
             coalesce(sum(m.amount) filter (where r.side <> 'other'), 0) as one,
             coalesce(sum(m.amount) filter (where r.side <> 'one'), 0) as other
      from (${all}) r
      cross join lateral (values ${amounts.map((name) => `('${name}', r.${name})`).join(', ')}) as m (name, amount)
      group by 1, 2
    )
    select "column", currency, trim_scale(one)::text as one, trim_scale(other)::text as other,
           trim_scale(other - one)::text as more
    from sums where one <> other order by "column", currency`);
  return rows;
}
