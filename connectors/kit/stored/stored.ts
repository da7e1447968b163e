/**
 * Reads what is stored of a stream, so that no stream queries the database itself. Objects are rows of the root table
 * that are not deleted; where noted, quarantined records count too.
 */
import { PSEUDONYM } from '#sql/load/redact/erased.ts';
import type { Row } from '#sql/load/table.ts';
import type { ConnectorDb, Target } from '../stream.ts';
import type { Part } from './day_sums.ts';
import { asStored, type SealedOwner } from './erased_ids.ts';

/** The owner of the objects, and the part of the database's functions that a reading needs. */
export type OwnerWith<Access extends keyof ConnectorDb> = {
  connection: { brandId: string; id: string };
  db: Pick<ConnectorDb, Access>;
};

type Owner = OwnerWith<'query'>;

/** By `created_at`; `before` is exclusive. */
export type CreatedWithin = { from?: Date; before: Date };

const LIVE = 'brand_id = $1 and connection_id = $2 and deleted_at is null';

/** Counts stored objects and quarantined records of the stream. */
export async function countStored(owner: Owner, target: Target, stream: string): Promise<number> {
  const [row] = await ask<{ n: number }>(
    owner,
    `select count(*)::int as n
     from (
       select id from ${rootOf(target)} where ${LIVE}
       union
       select row_key from ops.rejected_rows where brand_id = $1 and connection_id = $2 and stream = $3
     ) here`,
    [stream],
  );
  return row?.n ?? 0;
}

/** The ids of all stored objects, and of quarantined records whose key looks like an id, in order. */
export async function* storedIds(
  owner: Owner,
  target: Target & { stream: string },
  { idPattern, size }: { idPattern: string; size: number },
): AsyncGenerator<string[]> {
  for (let after = ''; ; ) {
    const rows = await ask<{ id: string }>(
      owner,
      `(select id from ${rootOf(target)} where ${LIVE} and id > $4 order by id limit $5)
       union
       (select row_key from ops.rejected_rows
        where brand_id = $1 and connection_id = $2 and stream = $3 and row_key > $4 and row_key ~ $6
        order by row_key limit $5)
       order by id limit $5`,
      [target.stream, after, size, idPattern],
    );
    const last = rows.at(-1)?.id;
    if (last === undefined) return;
    yield rows.map(({ id }) => id);
    after = last;
  }
}

/** The ids of stored objects that are missing in a list of the same time span. */
export async function unlistedIds(
  owner: SealedOwner,
  target: Target,
  { from, before }: CreatedWithin,
  { listed, max }: { listed: ReadonlySet<string>; max?: number },
): Promise<string[]> {
  const rows = await ask<{ id: string }>(
    owner,
    `select id from ${rootOf(target)}
     where ${LIVE} and ($3::timestamptz is null or created_at >= $3) and created_at < $4
     except select unnest($5::text[])
     order by id limit $6`,
    [from ?? null, before, await asStored(owner, target, listed), max ?? null],
  );
  return rows.map(({ id }) => id);
}

/** A sample of stored objects of a time span, always the same one; without erased ones, whose ids no provider knows. */
export async function sampleIds(
  owner: Owner,
  target: Target,
  { from, before }: Required<CreatedWithin>,
  max: number,
): Promise<string[]> {
  const rows = await ask<{ id: string }>(
    owner,
    `select id from ${rootOf(target)}
     where ${LIVE} and created_at >= $3 and created_at < $4 and not starts_with(id, $6)
     order by md5(id), id limit $5`,
    [from, before, max, PSEUDONYM],
  );
  return rows.map(({ id }) => id);
}

/** When the oldest was created of those in a state that ends at an instant of their own, if that is over by `at`. */
export async function oldestDue(
  owner: Owner,
  target: Target,
  { state: [column, value], until }: { state: readonly [column: string, value: string]; until: string },
  at: Date,
): Promise<Date | undefined> {
  const [row] = await ask<{ oldest: Date | null }>(
    owner,
    `select min(created_at) as oldest
     from (
       select created_at from ${rootOf(target)} where ${LIVE} and ${column} = $3 and ${until} <= $4 order by ${until}
     ) due`,
    [value, at],
  );
  return row?.oldest ?? undefined;
}

/** Counts by UTC day, and sums by currency if there is an amount. */
export async function storedSums(
  owner: Owner,
  target: Target,
  { from, before }: Required<CreatedWithin>,
  amount?: string,
): Promise<Part[]> {
  const [currency, sum] = amount === undefined ? ["''", '0'] : ['currency', `sum(${amount})`];
  return ask<Part>(
    owner,
    `select (created_at at time zone 'UTC')::date::text as day, ${currency} as currency, count(*)::int as count,
            (${sum})::text as sum
     from ${rootOf(target)}
     where ${LIVE} and created_at >= $3 and created_at < $4
     group by 1, 2`,
    [from, before],
  );
}

/** The rows of these ids, including deleted ones. */
export async function storedRows(
  owner: Owner,
  table: string,
  ids: readonly string[],
  columns: readonly string[] = ['id'],
): Promise<Row[]> {
  return ask<Row>(
    owner,
    `select ${columns.join(', ')} from ${table} where brand_id = $1 and connection_id = $2 and id = any ($3::text[])`,
    [ids],
  );
}

/** The ids of all stored objects that a complete list lacks. */
export async function unlistedAtAll(
  owner: Owner,
  target: Target,
  listed: ReadonlySet<string>,
): Promise<string[]> {
  const rows = await ask<{ id: string }>(
    owner,
    `select id from ${rootOf(target)} where ${LIVE} except select unnest($3::text[]) order by id`,
    [[...listed]],
  );
  return rows.map(({ id }) => id);
}

/** Rows of a table by one column, from one value to another, both included, in its order or backwards. */
export async function rowsBetween(
  owner: Owner,
  table: string,
  { by, from, to, where = {} }: { by: string; from: Date | string; to: Date | string; where?: Row },
  {
    columns,
    max,
    isNewestFirst = false,
  }: { columns: readonly string[]; max: number; isNewestFirst?: boolean },
): Promise<Row[]> {
  const equal = Object.keys(where).map((column, index) => `and ${column} = $${index + 6}`);
  return ask<Row>(
    owner,
    `select ${columns.join(', ')} from ${table} where ${LIVE} and ${by} >= $3 and ${by} <= $4 ${equal.join(' ')}
     order by ${by} ${isNewestFirst ? 'desc' : 'asc'} limit $5`,
    [from, to, max, ...Object.values(where)],
  );
}

/** Columns of the rows whose value in a column is among some. */
export async function storedColumn(
  owner: Owner,
  table: string,
  { by, among }: { by: string; among: readonly string[] },
  columns: readonly string[],
): Promise<Row[]> {
  if (among.length === 0) return [];
  return ask<Row>(
    owner,
    `select distinct ${columns.join(', ')} from ${table} where ${LIVE} and ${by} = any ($3::text[])`,
    [among],
  );
}

/** Counts rows by the days of a zone and by the values of columns. */
export async function countsByDay(
  owner: Owner,
  table: string,
  { by, zone, from, before }: { by: string; zone: string; from: Date; before: Date },
  columns: readonly string[],
): Promise<(Row & { day: string; count: number })[]> {
  return ask<Row & { day: string; count: number }>(
    owner,
    `select (${by} at time zone $5)::date::text as day, ${columns.join(', ')}, count(*)::int as count
     from ${table} where ${LIVE} and ${by} >= $3 and ${by} < $4
     group by 1, ${columns.map((_, index) => index + 2).join(', ')}`,
    [from, before, zone],
  );
}

/** The first and the last instant in a column. */
export async function extentOf(
  owner: Owner,
  table: string,
  column: string,
  where: Row = {},
): Promise<{ first: Date | null; last: Date | null }> {
  const equal = Object.keys(where).map((name, index) => `and ${name} = $${index + 3}`);
  const end = (order: string) =>
    `(select ${column} from ${table} where ${LIVE} and ${column} is not null ${equal.join(' ')} order by ${column} ${order} limit 1)`;
  const [row] = await ask<{ first: Date | null; last: Date | null }>(
    owner,
    `select ${end('asc')} as first, ${end('desc')} as last`,
    Object.values(where),
  );
  return row ?? { first: null, last: null };
}

/** Quarantined records with the id of their object, oldest first; without erased ones, whose ids no provider knows. */
export async function quarantinedIds(owner: Owner, stream: string, max: number): Promise<string[]> {
  const rows = await ask<{ id: string }>(
    owner,
    `select row_key as id from ops.rejected_rows
     where brand_id = $1 and connection_id = $2 and stream = $3 and not starts_with(row_key, 'sha256:')
       and not starts_with(row_key, $5)
     order by rejected_at limit $4`,
    [stream, max, PSEUDONYM],
  );
  return rows.map(({ id }) => id);
}

function rootOf({ tables }: Target): string {
  const [root] = tables;
  if (!root) throw new TypeError('a stream without a table stores nothing');
  return root.name;
}

async function ask<R extends Record<string, unknown>>(
  { connection, db }: Owner,
  text: string,
  values: unknown[],
): Promise<R[]> {
  const { rows } = await db.query<R>(text, [connection.brandId, connection.id, ...values]);
  return rows;
}
