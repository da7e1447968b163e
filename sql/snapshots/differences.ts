/** Rows of a snapshot, in scratch tables, beside the live ones. Rows are equal if their text is: 1.0 is not 1.00. */
import type { Tx } from '../db/pool.ts';
import { isOf } from './parts.ts';
import { type Scratch, scratchName } from './scratch.ts';
import type { SnapshotTable } from './tables.ts';

/** What is compared: all rows of the scratch table, with the live ones of the brand that `only` selects. */
export type Compared = { scratch: Scratch; table: SnapshotTable; brandId: string; only: string };

export type Difference = {
  onlySnapshot: number;
  onlyLive: number;
  changed: number;
  /** Whose rows differ, where the table has them. */
  connections: string[];
};

/** Sums of a table that differ. */
export type MoneyDifference = { column: string; currency: string; snapshot: string; live: string };

export async function differenceOf(tx: Tx, compared: Compared): Promise<Difference> {
  const { table } = compared;
  const hasConnections = table.columns.some(({ name }) => name === 'connection_id');
  const { rows } = await tx.query<Difference>(`
    with s as (select ${keyed(table, 's')}, * from (${snapshotRows(compared)}) s),
    l as (select ${keyed(table, 'l')}, * from (${liveRows(compared)}) l)
    select count(*) filter (where l.compared is null) as "onlySnapshot",
           count(*) filter (where s.compared is null) as "onlyLive",
           count(*) filter (where s.compared <> l.compared) as changed,
           ${hasConnections ? 'coalesce(array_agg(distinct coalesce(s.connection_id, l.connection_id)::text), array[]::text[])' : 'array[]::text[]'} as connections
    from s full join l on ${['same', ...table.key.map(({ name }) => name)].map((name) => `s.${name} = l.${name}`).join(' and ')}
    where s.compared is distinct from l.compared`);
  return rows[0] ?? { onlySnapshot: 0, onlyLive: 0, changed: 0, connections: [] };
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

function snapshotRows({ scratch, table }: Compared): string {
  return `select ${table.columns.map(({ name }) => name).join(', ')} from ${scratchName(scratch, table.name)}`;
}

function liveRows({ table, brandId, only }: Compared): string {
  return `select ${table.columns.map(({ name }) => name).join(', ')} from ${table.name}
    where ${isOf(table, brandId)} and ${only}`;
}

/** Sums of all rows of the brand: what is not compared is equal. */
export async function moneyOf(tx: Tx, compared: Compared): Promise<MoneyDifference[]> {
  const { table, brandId, only } = compared;
  const amounts = table.columns.filter(({ type }) => type.startsWith('numeric')).map(({ name }) => name);
  if (amounts.length === 0 || !table.columns.some(({ name }) => name === 'currency')) return [];
  const named = amounts.join(', ');
  const { rows } = await tx.query<MoneyDifference>(`
    select m.name as "column", r.currency::text as currency,
           coalesce(trim_scale(sum(m.amount) filter (where r.side <> 'live')), 0)::text as snapshot,
           coalesce(trim_scale(sum(m.amount) filter (where r.side <> 'snapshot')), 0)::text as live
    from (
      select 'snapshot' as side, currency, ${named} from ${scratchName(compared.scratch, table.name)}
      union all
      select case when ${only} then 'live' else 'both' end, currency, ${named} from ${table.name}
      where ${isOf(table, brandId)}
    ) r
    cross join lateral (values ${amounts.map((name) => `('${name}', r.${name})`).join(', ')}) as m (name, amount)
    group by 1, 2
    having sum(m.amount) filter (where r.side <> 'live') is distinct from sum(m.amount) filter (where r.side <> 'snapshot')
    order by 1, 2`);
  return rows;
}
