/** Clocks and statistics of the benches. */
import type { Db } from '../../sql/db/pool.ts';

/** How long it took, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The smallest value that at least this share of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (found === undefined) throw new RangeError('There is no quantile of nothing.');
  return found;
}

/** Median times of several ways to do the same work, taken in turns so that a slow minute meets all of them. */
export async function compare<Name extends string>(
  rounds: number,
  ways: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(ways) as Name[];
  const taken = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) taken.get(name)?.push(await ways[name]());
  }
  return Object.fromEntries(names.map((name) => [name, median(taken.get(name) ?? [])])) as Record<
    Name,
    number
  >;
}

/** Bytes that the write-ahead log of the server grew by meanwhile. */
export async function walBytes(db: Db, work: () => Promise<unknown>): Promise<number> {
  const { rows: before } = await db.query('select pg_current_wal_insert_lsn()::text as at');
  await work();
  const { rows } = await db.query(
    'select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::pg_lsn)::float8 as bytes',
    [before[0]?.at],
  );
  return rows[0]?.bytes;
}

/** Which version of each row stands in the tables now; give it to `rewrittenSince` later. */
export async function rememberVersions(db: Db, tables: readonly string[]): Promise<void> {
  for (const [index, table] of tables.entries()) {
    await db.query(`drop table if exists public.versions_${index}`);
    await db.query(
      `create table public.versions_${index} as select ctid as at, xmin::text as made_by from ${table}`,
    );
  }
}

/** Rows that are not where and what they were, not even in their header. */
export async function rewrittenSince(db: Db, tables: readonly string[]): Promise<number> {
  let rewritten = 0;
  for (const [index, table] of tables.entries()) {
    const { rows } = await db.query(`
      select greatest(count(t.ctid) filter (where v.at is null), count(v.at) filter (where t.ctid is null)) as n
      from ${table} t
      full join public.versions_${index} v on v.at = t.ctid and v.made_by = t.xmin::text`);
    rewritten += rows[0]?.n;
  }
  return rewritten;
}
