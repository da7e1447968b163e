/** Lists what a removal deletes, before it begins. */

import type { Db } from '#sql/db/pool.ts';
import type { Reader } from '#sql/db/reader.ts';
import { markAllDays } from '#sql/dirty/marks.ts';
import type { Table } from '#sql/load/table.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import type { Part } from '#sql/tenants/removal_parts.ts';
import { type Owner, rowsOf } from '#sql/tenants/removal_tables.ts';
import { count } from '../ui/format.ts';
import { attempt } from './options/rehearse.ts';

/** The target of a removal; `removing` if the removal has begun. */
export type Found = { brand: Brand; owner: Owner; name: string; removing: boolean };

export type Inventory = {
  /** By table. */
  rows: Record<string, number>;
  /** Days of figures that are deleted, or for a connection recomputed. */
  days: number;
  figures: number;
  jobs: number;
  positions: number;
  quarantined: number;
};

export async function inventory(db: Db, { brand, owner }: Found, parts: readonly Part[]): Promise<Inventory> {
  const owners = [...parts, owner];
  const rows = await rowsOf(db, owner.kind === 'brand' ? [owner] : owners);
  const jobs = await db.query<{ n: number }>(
    'select count(distinct j) as n from unnest($1::uuid[]) as o (id) cross join lateral ops.jobs_naming(o.id) j',
    [owners.map(({ id }) => id)],
  );
  return {
    rows,
    ...(await (owner.kind === 'connection' ? recomputed(db, brand, owner) : figuresOf(db, owner))),
    jobs: jobs.rows[0]?.n ?? 0,
    positions: rows['ops.positions'] ?? 0,
    quarantined: rows['ops.rejected_rows'] ?? 0,
  };
}

const DAILY = `
  select a.attrelid::regclass::text as name, exists (
           select from pg_attribute r where r.attrelid = t.oid and r.attname = 'retailer_id' and not r.attisdropped) as of_retailers
  from pg_attribute a join pg_class t on t.oid = a.attrelid
  where t.relnamespace = 'agg'::regnamespace and t.relkind in ('r', 'p') and a.attname = 'day' and not a.attisdropped
  order by 1`;

/** The days that would be marked and their rows of figures: marked in a transaction that is rolled back. */
async function recomputed(db: Db, { id: brandId, timeZone }: Brand, { id: connectionId }: Owner) {
  const { streams } = await import('#connectors/providers.ts');
  const tables: Table[] = streams.flatMap((stream) => [...stream.tables]);
  const now = new Date();
  return attempt(db, true, async (tx) => {
    const days = await markAllDays(tx, {
      ...{ brandId, connectionId, timeZones: [timeZone], tables, cause: 'mapping', now },
    });
    return { days, figures: (await daily(tx, DAYS_MARKED, [brandId, now])).figures };
  });
}

const DAYS_MARKED = `a.brand_id = $1 and exists (
  select from ops.marks m
  where m.brand_id = $1 and m.retailer_id is not distinct from a.retailer_id and m.day = a.day and m.marked_at = $2)`;

function figuresOf(db: Db, { kind, brandId, id }: Owner) {
  return daily(db, `a.brand_id = $1 and a.${kind}_id = $2`, [brandId, id]);
}

async function daily(db: Reader, where: string, values: unknown[]) {
  const tables = await db.query<{ name: string; of_retailers: boolean }>(DAILY);
  const each = tables.rows.map(
    ({ name, of_retailers }) => `
      select a.retailer_id, a.day
      from (select brand_id, ${of_retailers ? 'retailer_id' : 'null::uuid as retailer_id'}, day from ${name}) a
      where ${where}`,
  );
  const { rows } = await db.query<{ days: number; figures: number }>(
    `select count(*) as figures, count(distinct (retailer_id, day)) as days from (${each.join(' union all ')}) f`,
    values,
  );
  return rows[0] ?? { days: 0, figures: 0 };
}

/** The parts, for JSON. */
export function shownParts(parts: readonly Part[]) {
  const shown = (kind: Part['kind']) =>
    parts.filter((one) => one.kind === kind).map(({ name, removing }) => ({ [kind]: name, removing }));
  return { retailers: shown('retailer'), connections: shown('connection') };
}

/** All of it, for a person. */
export function linesOf(
  { brand, owner, name, removing }: Found,
  parts: readonly Part[],
  { rows, days, figures, jobs }: Inventory,
): string[] {
  const whose = owner.kind === 'brand' ? '' : ` of brand ${brand.slug}`;
  const becomes =
    owner.kind === 'connection' ? 'are recomputed from what remains' : 'of figures are deleted with it';
  const begun = (is: boolean) => (is ? ' (its removal has begun)' : '');
  return [
    `Everything of ${owner.kind} ${name}${whose}${begun(removing)}:`,
    ...parts.map((one) => `  ${one.kind} ${one.name}${begun(one.removing)}`),
    ...Object.entries(rows).map(([table, n]) => `  ${table}: ${count(n, 'row')}`),
    `  ${count(days, 'day')} (${count(figures, 'row')}) ${becomes}`,
    `  ${count(jobs, 'job')} on the queue`,
  ];
}
