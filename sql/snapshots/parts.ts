/**
 * A part is some of the rows of a table: those of a month, those of a bucket of keys, or all of them where they are few.
 * Which part a row is in depends on the row alone, so what does not change stays in the part that it was in.
 */
import pg from 'pg';
import type { Tx } from '../db/pool.ts';
import type { SnapshotTable } from './tables.ts';

export type Part = {
  part: string;
  rows: number;
  /** The sum of the hashes of its rows, which their order does not change. */
  rowHash: string;
};

/** Parts of a table in the order in which `copyStatement` gives them. */
export type Parts = {
  parts: Part[];
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
    select part::text as value, count(*) as rows, sum(row_hash)::text as "rowHash"
    from (select ${by} as part, hashtextextended(${lineOf(table)} collate "C", 0) as row_hash
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
    copyStatement: () => statement,
  };
}

function months(table: SnapshotTable, brandId: string, groups: readonly Group[]): Parts {
  const by = groupOf(table);
  const named = groups.map(({ value, ...group }) => ({ ...group, part: value.replace(/-01$/, '') }));
  const values = new Map(named.map(({ part }, at) => [part, groups[at]?.value ?? '']));
  return {
    parts: named,
    copyStatement: (some) =>
      copyOf(table, brandId, {
        order: by,
        only:
          some.length < named.length
            ? `${by} = any ('{${some.map(({ part }) => values.get(part))}}')`
            : 'true',
      }),
  };
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
      part: `${String(bucket).padStart(3, '0')}-of-${String(count).padStart(3, '0')}`,
    }));
  return {
    parts,
    copyStatement: (some) =>
      copyOf(table, brandId, {
        order: by,
        only:
          some.length < parts.length
            ? `${by} = any ('{${some.map(({ part }) => Number.parseInt(part, 10))}}')`
            : 'true',
      }),
  };
}

function summed(groups: readonly Group[]): Omit<Part, 'part'> {
  return {
    rows: groups.reduce((sum, { rows }) => sum + rows, 0),
    rowHash: String(groups.reduce((sum, { rowHash }) => sum + BigInt(rowHash), 0n)),
  };
}

/** Days are those of UTC, which the session is set to. */
function groupOf({ datedBy, key, columns }: SnapshotTable): string {
  if (datedBy !== null) return `date_trunc('month', ${datedBy}::timestamptz)::date`;
  const named = (key.length > 0 ? key : columns).map(({ name }) => name);
  return `(hashtextextended(row(${named})::text collate "C", 0) & ${BUCKETS_MAX - 1})::int`;
}

export function lineOf({ columns }: SnapshotTable): string {
  return `row(${columns.map(({ name }) => name)})::text`;
}

export function isOf({ of }: SnapshotTable, brandId: string): string {
  return of === 'everybody' ? 'true' : `${of} = ${pg.escapeLiteral(brandId)}`;
}

/** In the order of the key, byte by byte where it is text: the same on each server, whatever its language. */
function copyOf(
  table: SnapshotTable,
  brandId: string,
  { order, only = 'true' }: { order?: string; only?: string } = {},
): string {
  const { name, columns, key } = table;
  const byKey = key.map((column) => (column.isText ? `${column.name} collate "C"` : column.name));
  const last = byKey.length > 0 ? byKey : [`${lineOf(table)} collate "C"`];
  return `copy (
    select ${columns.map((column) => column.name).join(', ')} from ${name}
    where ${isOf(table, brandId)} and ${only}
    order by ${[...(order ? [order] : []), ...last].join(', ')}) to stdout`;
}
