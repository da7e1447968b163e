/**
 * Tables that take rows of a snapshot, in a schema of their own: nothing of the product reads them. They have the columns,
 * constraints and primary keys of the live ones, and get the keys once they are filled. Or the tables themselves, of a
 * database that is made for them.
 */
import pg from 'pg';
import type { Db, Tx } from '../db/pool.ts';
import { EVENTS } from '../events/marks.ts';
import { readAlike } from './moment.ts';
import { rowHashOf } from './parts.ts';
import type { SnapshotTable } from './tables.ts';

export type Scratch = {
  /** Null for the tables themselves. */
  schema: string | null;
  /** Whether it outlasts the transaction, and so a crash of the server. */
  isKept: boolean;
};

/** The empty tables of a database of its own. */
export const IN_PLACE: Scratch = { schema: null, isKept: true };

const LIVE_NAME = /^[a-z]+\.[a-z0-9_]+$/;

/** `agg.daily_sales` is `agg_daily_sales` there. */
export function scratchName({ schema }: Scratch, live: string): string {
  if (!LIVE_NAME.test(live)) throw new TypeError(`${live} is no name of a table of ours`);
  return schema === null ? live : `${schema}.${live.replace('.', '_')}`;
}

/** One that is gone when the transaction ends, in any way: nobody else ever sees it. All live tables are of one instant. */
export function withScratch<T>(
  db: Pick<Db, 'transaction'>,
  limitSeconds: number,
  work: (tx: Tx, scratch: Scratch) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read');
    await readAlike(tx, limitSeconds);
    const scratch = await makePassing(tx);
    const result = await work(tx, scratch);
    await dropScratch(tx, scratch);
    return result;
  });
}

/** For a transaction that drops it itself. */
export async function makePassing(tx: Tx): Promise<Scratch> {
  const { rows } = await tx.query<{ schema: string }>(
    "select 'restoring_' || replace(gen_random_uuid()::text, '-', '') as schema",
  );
  const scratch = { schema: rows[0]?.schema ?? '', isKept: false };
  await makeScratch(tx, scratch);
  return scratch;
}

export async function makeScratch(tx: Tx, { schema }: Scratch): Promise<void> {
  await tx.query(`create schema ${schema}`);
}

export async function dropScratch(tx: Tx, { schema }: Scratch): Promise<void> {
  await tx.query("select set_config('client_min_messages', 'warning', true)");
  await tx.query(`drop schema ${schema} cascade`);
}

export async function schemaExists(tx: Tx, schema: string): Promise<boolean> {
  const { rows } = await tx.query('select from pg_namespace where nspname = $1', [schema]);
  return rows.length > 0;
}

/** The rows that it takes become those of the brand. */
export async function addTable(
  tx: Tx,
  scratch: Scratch,
  table: SnapshotTable,
  brandId: string,
): Promise<void> {
  const { name, of } = table;
  const filled = filledTable(scratch, table);
  if (scratch.schema !== null)
    await tx.query(`
      create ${scratch.isKept ? '' : 'unlogged'} table ${filled}
        (like ${name} including defaults including constraints including generated including comments)`);
  else if (name === EVENTS)
    await tx.query(`create temporary table ${ARRIVED} (like ${EVENTS}) on commit drop`);
  if (of === 'brand_id')
    await tx.query(`alter table ${filled} alter brand_id set default ${pg.escapeLiteral(brandId)}`);
}

/** A month of events has a table of its own, and which months there are, only the rows say. */
const ARRIVED = 'pg_temp.arrived_events';

function filledTable(scratch: Scratch, { name }: SnapshotTable): string {
  return scratch.schema === null && name === EVENTS ? ARRIVED : scratchName(scratch, name);
}

export function fillStatement(scratch: Scratch, table: SnapshotTable, columns: readonly string[]): string {
  return `copy ${filledTable(scratch, table)} (${columns}) from stdin`;
}

/** Once it is filled. The default was for that: a live table has none. */
export async function addKey(tx: Tx, scratch: Scratch, table: SnapshotTable): Promise<void> {
  const { name, key, columns, of } = table;
  if (of === 'brand_id')
    await tx.query(`alter table ${filledTable(scratch, table)} alter brand_id drop default`);
  if (scratch.schema === null) {
    if (name !== EVENTS) return;
    const all = columns.map((column) => column.name).join(', ');
    await tx.query(`select ops.make_event_months(array(select distinct happened_at::date from ${ARRIVED}))`);
    await tx.query(`insert into ${EVENTS} (${all}) select ${all} from ${ARRIVED}`);
    return;
  }
  if (key.length === 0) return;
  await tx.query(
    `alter table ${scratchName(scratch, name)} add primary key (${key.map((column) => column.name).join(', ')})`,
  );
}

/** What a manifest says of a table too. */
export async function sumOf(
  tx: Tx,
  scratch: Scratch,
  table: SnapshotTable,
): Promise<{ rows: number; rowHash: string }> {
  const { rows } = await tx.query<{ rows: number; rowHash: string }>(`
    select count(*) as rows, coalesce(sum(${rowHashOf(table)}), 0)::text as "rowHash"
    from ${scratchName(scratch, table.name)}`);
  return rows[0] ?? { rows: 0, rowHash: '0' };
}
