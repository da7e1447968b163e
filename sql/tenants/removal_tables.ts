/** Tables with rows of a connection, a retailer or a brand. They come from the catalogue, so none can be forgotten. */

import type { Db } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from '../dirty/marks.ts';
import { deleteEvents, EVENTS } from '../events/marks.ts';
import { rollups as ours } from '../rollups/index.ts';
import { markLeft } from '../rollups/merge.ts';
import type { Rollup } from '../rollups/rollup.ts';

export type OwnerKind = 'connection' | 'retailer' | 'brand';
export type Owner = { kind: OwnerKind; brandId: string; id: string };

// Bounds the work of a transaction, and how long others wait for a row.
const BATCH_ROWS = 10_000;

/**
 * The owners themselves are deleted last. `ops.audit_log` stays, because it says who removed what. The rows of `agg`
 * that name a connection and a retailer belong to days of the retailer, so their rollup deletes them. Campaigns outlive
 * the retailer that they were for.
 */
const TABLES = `
  select t.oid::regclass::text as name from pg_class t
  join pg_namespace n on n.oid = t.relnamespace
  where t.relkind in ('r', 'p') and not t.relispartition and n.nspname in ('app', 'raw', 'agg', 'ops')
    and t.oid <> all (array['app.brands', 'app.retailers', 'app.connections', 'ops.audit_log']::regclass[])
    and not ($1 = 'retailer' and t.oid = 'app.campaigns'::regclass)
    and not ($1 = 'connection' and n.nspname = 'agg' and exists (
      select from pg_attribute a where a.attrelid = t.oid and not a.attisdropped and a.attname = 'retailer_id'))
    and 2 = (
      select count(distinct a.attname) + ($1 = 'brand')::int from pg_attribute a
      where a.attrelid = t.oid and not a.attisdropped and a.attname in ('brand_id', $1 || '_id'))
  order by 1`;

/** Names quoted by PostgreSQL, ready for a statement. */
export async function tablesOf(db: Reader, kind: OwnerKind): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(TABLES, [kind]);
  return rows.map(({ name }) => name);
}

/** `$1` is the brand, `$2` the owner. */
export function isOf({ kind }: Owner): string {
  return `brand_id = $1 and ${kind}_id = $2`;
}

/** Rows by table; tables without any are left out. */
export async function rowsOf(db: Reader, owners: readonly Owner[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const owner of owners) {
    for (const table of await tablesOf(db, owner.kind)) {
      const { rows } = await db.query<{ n: number }>(
        `select count(*) as n from ${table} where ${isOf(owner)}`,
        [owner.brandId, owner.id],
      );
      const n = rows[0]?.n ?? 0;
      if (n > 0) found[table] = (found[table] ?? 0) + n;
    }
  }
  return found;
}

/** Deletes the rows of one table, one batch per transaction. */
export async function emptyTable(
  db: Pick<Db, 'transaction'>,
  table: string,
  owner: Owner,
  rollups: readonly Rollup[] = ours,
): Promise<number> {
  const handingOn =
    owner.kind === 'retailer' ? rollups.filter((one) => isReadByBrand(one, table, rollups)) : [];
  const isOfEvents = owner.kind === 'retailer' && table === EVENTS;
  const statement = isOfEvents ? deleteEvents(batchStatement(table, owner)) : batchStatement(table, owner);
  let removed = 0;
  for (;;) {
    const { rowCount } = await db.transaction(async (tx) => {
      // A rollup may delete the same figures at the same time, in another order. The other tables need no lock, and
      // must not take it: a rollup holds the row of its run while it waits for this lock.
      if (owner.kind !== 'brand' && table.startsWith('agg.'))
        await lockRollup(tx, owner.brandId, owner.kind === 'retailer' ? owner.id : null);
      // The marks are of all that is left: a rollup finds them once the rows of the batch are gone.
      // Statistics may say that the table is small, but a full scan for each batch would never end.
      await tx.query("select set_config('enable_seqscan', 'off', true)");
      for (const rollup of handingOn) await tx.query(markLeft(rollup), [owner.brandId, owner.id, new Date()]);
      return tx.query(statement, [owner.brandId, owner.id]);
    });
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH_ROWS) return removed;
  }
}

/** Whether figures of the brand are made of this table of its retailers. */
function isReadByBrand({ writes, name, handsOn }: Rollup, table: string, all: readonly Rollup[]): boolean {
  if (writes !== table || handsOn === undefined) return false;
  return all.some(({ of, changesWith }) => of === 'brand' && changesWith.includes(name));
}

/**
 * Partitions of a table share ctids, and rows of others may have the same ones. So the owner is compared again, in a
 * form that no index serves, because the ctids alone must find the batch.
 */
export function batchStatement(table: string, owner: Owner): string {
  return `
    delete from ${table}
    where ctid = any (array(select ctid from ${table} where ${isOf(owner)} limit ${BATCH_ROWS}))
      and (${isOf(owner)}) is true`;
}
