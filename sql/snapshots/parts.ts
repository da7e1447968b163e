/**
 * A part is some of the rows of a table: those of a month, those of a bucket of keys, or all of them where they are few.
 * Which part a row is in depends on the row alone, so what does not change stays in the part that it was in.
 */
import pg from 'pg';
import type { Tx } from '../db/pool.ts';
import { partColumns, type SnapshotTable } from './tables.ts';

export type Part = {
  part: string;
  rows: number;
  /** The sum of the hashes of its rows, which their order does not change. */
  rowHash: string;
};

/** Parts of a table in the order in which `copyStatement` gives them. */
export type Parts = {
  parts: Part[];
  /** Which rows are of some of them, as SQL. */
  condition(some: readonly Part[]): string;
  /** The statement for some of them, which must be in that order. */
  copyStatement(some: readonly Part[]): string;
};

/** So many rows are one part, whatever their dates are: small files cost more than they save. */
const WHOLE_ROWS_MAX = 20_000;
const BUCKET_ROWS_MAX = 50_000;
/** Rows are counted by so many buckets, which a table has at most; it is a power of two. */
const BUCKETS_MAX = 256;

type Group = Part & { value: string };

/** Reads each row of the brand once. */
export async function readParts(tx: Tx, table: SnapshotTable, brandId: string): Promise<Parts> {
  const by = groupOf(table);
  const { rows: groups } = await tx.query<Group>(`
    select ${table.datedBy === null ? 'part' : 'part::date'}::text as value, count(*) as rows, sum(row_hash)::text as "rowHash"
    from (select ${by} as part, ${rowHashOf(table)} as row_hash
          from ${table.name} where ${isOf(table, brandId)}) r
    group by part order by part`);
  const total = groups.reduce((sum, { rows }) => sum + rows, 0);
  if (total <= WHOLE_ROWS_MAX) return whole(table, brandId, groups);
  return table.datedBy === null ? buckets(table, brandId, groups, total) : months(table, brandId, groups);
}

function whole(table: SnapshotTable, brandId: string, groups: readonly Group[]): Parts {
  const statement = copyOf(table, brandId);
  return {
    parts: groups.length === 0 ? [] : [{ ...summed(groups), part: 'all' }],
    condition: () => 'true',
    copyStatement: () => statement,
  };
}

function months(table: SnapshotTable, brandId: string, groups: readonly Group[]): Parts {
  const found = Map.groupBy(groups, ({ value }) => value.replace(DAY_OF_MONTH, ''));
  const parts = [...found].map(([part, some]) => ({ ...summed(some), part }));
  const condition = (some: readonly Part[]) =>
    some.length < parts.length
      ? `(${['false', ...some.map(({ part }) => isIn(table, part))].join(' or ')})`
      : 'true';
  return {
    ...{ parts, condition },
    copyStatement: (some) => copyOf(table, brandId, { order: table.datedBy, only: condition(some) }),
  };
}

/** Of a day as PostgreSQL writes it. Days before our era, and those without end, are parts too. */
const DAY_OF_MONTH = /-\d\d(?= BC$|$)/;
const MONTH = /^(\d{4})-(\d\d)$/;

function monthOf({ datedBy }: SnapshotTable): string {
  return `date_trunc('month', ${datedBy}::timestamptz)::date`;
}

/** Mostly by comparing, because to find the month of an instant takes longer than to read the row. */
function isIn(table: SnapshotTable, month: string): string {
  const [, year = '', number = ''] = MONTH.exec(month) ?? [];
  if (year === '') return `${monthOf(table)} = '${month.replace(/(^[^ ]*\d)( BC)?$/, '$1-01$2')}'`;
  const next = number === '12' ? `${pad(Number(year) + 1, 4)}-01` : `${year}-${pad(Number(number) + 1, 2)}`;
  return `${table.datedBy} >= '${month}-01' and ${table.datedBy} < '${next}-01'`;
}

function pad(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}

function buckets(table: SnapshotTable, brandId: string, groups: readonly Group[], total: number): Parts {
  let count = 1;
  while (count < BUCKETS_MAX && total / count > BUCKET_ROWS_MAX) count *= 2;
  const bucketOf = (value: string) => Number(value) & (count - 1);
  const by = `${groupOf(table)} & ${count - 1}`;
  const found = Map.groupBy(groups, ({ value }) => bucketOf(value));
  const parts = [...found]
    .sort(([a], [b]) => a - b)
    .map(([bucket, some]) => ({
      ...summed(some),
      part: `${pad(bucket, 3)}-of-${pad(count, 3)}`,
    }));
  const condition = (some: readonly Part[]) =>
    some.length < parts.length
      ? `${by} = any ('{${some.map(({ part }) => Number.parseInt(part, 10))}}')`
      : 'true';
  return {
    ...{ parts, condition },
    copyStatement: (some) => copyOf(table, brandId, { order: by, only: condition(some) }),
  };
}

function summed(groups: readonly Group[]): Omit<Part, 'part'> {
  return {
    rows: groups.reduce((sum, { rows }) => sum + rows, 0),
    rowHash: String(groups.reduce((sum, { rowHash }) => sum + BigInt(rowHash), 0n)),
  };
}

/** Days are those of UTC, which the session is set to. Rows are counted by day: months are made of days without a clock. */
function groupOf({ datedBy, key, columns }: SnapshotTable): string {
  if (datedBy !== null) return `date_bin('1 day', ${datedBy}::timestamptz, '2000-01-01')`;
  const named = (key.length > 0 ? key : columns).map(({ name }) => name);
  return `(hash_record_extended(row(${named}), 0) & ${BUCKETS_MAX - 1})::int`;
}

/** Numbers are hashed by their value, as they are compared everywhere: 1.5 and 1.50 are equal. */
export function rowHashOf({ columns }: SnapshotTable): string {
  return `hash_record_extended(row(${columns.map(({ name }) => name)}), 0)`;
}

export function isOf({ of }: SnapshotTable, brandId: string, row?: string): string {
  return of === 'everybody' ? 'true' : `${row ? `${row}.` : ''}${of} = ${pg.escapeLiteral(brandId)}`;
}

/**
 * In the order of the key, byte by byte where it is text: the same on each server, whatever its language. Months come first
 * by what dates a row, whose order is about the one in which rows were stored, so that there is little to sort.
 */
function copyOf(
  table: SnapshotTable,
  brandId: string,
  { order, only = 'true' }: { order?: string | null; only?: string } = {},
): string {
  const { name, columns, key } = table;
  const byKey = key.map((column) => (column.isText ? `${column.name} collate "C"` : column.name));
  const all = `row(${columns.map((column) => column.name)})::text collate "C"`;
  const last = byKey.length > 0 ? byKey : [all];
  return `copy (
    select ${partColumns(table).map((column) => column.name)} from ${name}
    where ${isOf(table, brandId)} and ${only}
    order by ${[...(order ? [order] : []), ...last].join(', ')}) to stdout`;
}
