/**
 * The statements that load a table, generated once from its definition, which all identifiers come from. Each concerns
 * one brand and connection, `$1` and `$2`.
 *
 * Staging tables have no statistics, and those of a raw table may be hours old or lack this connection: so stored rows
 * are looked up as planner.ts says. The cost of a page does not depend on the size of the table.
 */
import { createHash } from 'node:crypto';
import { lineColumns } from '../db/copy.ts';
import type { NamedStatement } from '../db/pool.ts';
import { partitionOf } from '../dirty/marks.ts';
import type { Table } from './table.ts';

export type { NamedStatement };

export type TableStatements = {
  /** Creates the staging table, once per session, and clears rows of an earlier load of this transaction. */
  prepareStaging: string;
  copyToStaging: string;
  copyToRaw: string;
  /** For a table that keeps values: fills empty columns of staged rows of roots `$3` from stored rows. */
  recall: NamedStatement | undefined;
  /** How the stored rows of roots `$3` differ from the staged ones. */
  compare: NamedStatement;
  /** Stages a tombstone for each stored row of roots `$3` (read as of `$4`) that is not staged. */
  stageMissing: NamedStatement;
  /** Stages a tombstone for each stored root row of `$3`, deleted at `$4`. */
  stageDeleted: NamedStatement;
  /**
   * Stores only what differs, of roots `$3`, seen at `$4`: not even the header of an equal row is rewritten. Root rows
   * of
   * `$5` are written in any case, because a child is written and their digest changes.
   */
  write: NamedStatement;
  /** For a root table with digests: clears the digests of roots `$3`. */
  forgetDigests: NamedStatement;
};

/** A root with any differing row. */
export type Difference = {
  id: string;
  /** Whether more than the version differs. */
  content: boolean;
  /** Whether it has stored rows that are not staged. */
  missing: boolean;
  /** Another root that owned a staged row until now. */
  other: string | null;
};

export type StreamStatements = {
  root: Table;
  tables: ReadonlyMap<Table, TableStatements>;
  /** The known versions of roots `$3`, including early deletions of `$4` (the name of the table). */
  versions: NamedStatement;
  /** Marks of the stored rows of roots `$3`, days in zone `$4`; undefined if no row marks anything. */
  marks: NamedStatement | undefined;
};

const made = new WeakMap<readonly Table[], StreamStatements>();

/** The first table is the root. */
export function statementsOf(tables: readonly Table[]): StreamStatements {
  let statements = made.get(tables);
  if (statements === undefined) {
    statements = makeStatements(tables);
    made.set(tables, statements);
  }
  return statements;
}

/** The column with the id of the item: the key of a root row, or the root's key in a child. */
export function rootColumnOf({ name, rootColumn, key }: Table): string {
  const column = rootColumn ?? (key.length === 1 ? key[0] : undefined);
  if (column === undefined) throw new TypeError(`${name} needs a rootColumn, or a key of one column`);
  return column;
}

export function statement(text: string): NamedStatement {
  return { name: `load ${digest(text)}`, text };
}

function makeStatements(tables: readonly Table[]): StreamStatements {
  const [root] = tables;
  if (root === undefined) throw new TypeError('a stream needs a table');
  tables.forEach(assertIdentifiers);
  return {
    root,
    tables: new Map(tables.map((table) => [table, tableStatements(table, table === root)])),
    versions: statement(`
      select o.${rootColumnOf(root)} as id, o.changed_at, o.deleted_at is not null as deleted, true as stored,
             ${root.digested ? 'o.digest' : 'null::uuid'} as digest
      from unnest($3::text[]) as w (id)
      cross join lateral (${rowsWhere(root.name, rootColumnOf(root))}) o
      union all
      select e.id, e.deleted_at, true, false, null
      from ops.early_deletions e
      where e.brand_id = $1 and e.connection_id = $2 and e.table_name = $4 and e.id = any($3::text[])`),
    marks: marksStatement(tables),
  };
}

function tableStatements(table: Table, isRoot: boolean): TableStatements {
  const { name, key } = table;
  const columns = lineColumns(table);
  const staging = stagingName(table);
  const root = rootColumnOf(table);
  const list = columns.join(', ');
  const digest = isRoot && table.digested ? ', digest' : '';
  const written = [
    ...columns.filter((column) => !key.includes(column)),
    'changed_at',
    'seen_at',
    'deleted_at',
    ...(digest ? ['digest'] : []),
  ];
  const tombstones = (column: string) => `
    insert into ${staging} (${list}, changed_at, deleted_at)
    select ${listOf('o', columns)}, w.changed_at, w.changed_at
    from unnest($3::text[], $4::timestamptz[]) as w (id, changed_at)
    cross join lateral (${rowsWhere(name, column)}) o`;
  return {
    prepareStaging: `
      create temp table if not exists ${bare(staging)} (
        ${Object.entries(table.columns).map(([column, type]) => `${column} ${type}`)},
        changed_at timestamptz, digest uuid, deleted_at timestamptz
      ) on commit delete rows;
      delete from ${staging}`,
    copyToStaging: `copy ${staging} (${list}, changed_at${digest}) from stdin`,
    copyToRaw: `copy ${name} (${list}, changed_at${digest}, brand_id, connection_id, seen_at) from stdin`,
    recall: recallStatement(table),
    compare: compareStatement(table, isRoot),
    stageMissing: statement(`${tombstones(root)}
    where o.deleted_at is null and not exists (select from ${staging} s where ${sameKey(key)})`),
    stageDeleted: statement(tombstones(root)),
    write: statement(`
      insert into ${name} as t (brand_id, connection_id, ${list}, changed_at, seen_at, deleted_at${digest})
      select $1::uuid, $2::uuid, ${listOf('s', columns)}, s.changed_at, $4::timestamptz, s.deleted_at${digest && ', s.digest'}
      from ${staging} s
      left join ${table.keeps === 'history' ? earlierRow(table) : storedRows(table)}
      where s.${root} = any($3::text[]) and (${differs(table, isRoot)} or s.${root} = any($5::text[]))
      on conflict (brand_id, connection_id, ${key.join(', ')}) do update
      set ${written.map((column) => `${column} = excluded.${column}`).join(', ')}
      where t.changed_at <= excluded.changed_at`),
    forgetDigests: statement(`
      update ${name} set digest = null
      where ctid = any (array(
        select o.ctid from unnest($3::text[]) as w (id)
        cross join lateral (${rowsWhere(name, root, 'ctid')}) o))`),
  };
}

// A lookup per empty column: an update with a join would compare each staged row with each stored one if the staging
// table seems small.
function recallStatement(table: Table): NamedStatement | undefined {
  const { name, key, remembers = [] } = table;
  if (remembers.length === 0) return undefined;
  const stored = (column: string) => `(
        select o.${column} from ${name} o
        where o.brand_id = $1 and o.connection_id = $2
          and (${listOf('o', key)}) >= (${listOf('s', key)}) and (${listOf('o', key)}) <= (${listOf('s', key)})
        order by ${listOf('o', key)} limit 1)`;
  return statement(`
      update ${stagingName(table)} s
      set ${remembers.map((column) => `${column} = coalesce(s.${column}, ${stored(column)})`).join(', ')}
      where s.${rootColumnOf(table)} = any($3::text[]) and (${remembers.map((column) => `s.${column} is null`).join(' or ')})`);
}

// All rows of the staged roots are read at once and hash-joined, which costs a fifth of a lookup per row. A staged row
// that its root does not have yet may have belonged to another root, staged or not.
function compareStatement(table: Table, isRoot: boolean): NamedStatement {
  const { name, key, keeps } = table;
  const root = rootColumnOf(table);
  if (keeps === 'history') {
    return statement(`
      select s.${root} as id, true as content, false as missing, null as other
      from ${stagingName(table)} s
      left join ${earlierRow(table)}
      where s.${root} = any($3::text[]) and ${differs(table, isRoot)}
      group by 1`);
  }
  return statement(`
    select coalesce(s.${root}, o.${root}) as id, bool_or(s.${root} is null or ${contentDiffers(table)}) as content,
           bool_or(s.${root} is null) as missing,
           case when o.brand_id is null then m.${root} when o.${root} <> s.${root} then o.${root} end as other
    from ${stagingName(table)} s
    full join ${storedRows(table)}
    left join lateral (
      select * from ${name} m where m.brand_id = $1 and m.connection_id = $2 and o.brand_id is null
        and (${listOf('m', key)}) >= (${listOf('s', key)}) and (${listOf('m', key)}) <= (${listOf('s', key)}) order by ${listOf('m', key)} limit 1
    ) m on true
    where case when s.${root} is null then o.deleted_at is null else ${differs(table, isRoot)} end
    group by 1, 4`);
}

/** The stored rows whose `column` is `w.id`. */
export function rowsWhere(table: string, column: string, selected = '*'): string {
  return `
    select ${selected} from ${table} o
    where o.brand_id = $1 and o.connection_id = $2 and o.${column} >= w.id and o.${column} <= w.id
    order by o.${column}`;
}

function storedRows(table: Table): string {
  return `(${rowsOfRoots(table)}) o on ${sameKey(table.key)}`;
}

function rowsOfRoots(table: Table): string {
  return `
      select o.* from unnest($3::text[]) as w (id)
      cross join lateral (${rowsWhere(table.name, rootColumnOf(table))}) o
    `;
}

/** For dated rows, the newest one that is not later than the staged one. Without a lower bound it walks over rows just written. */
export function earlierRow({ name, key }: Table): string {
  const thing = key.slice(0, -1);
  return `lateral (
      select * from ${name} o
      where o.brand_id = $1 and o.connection_id = $2
        and (${listOf('o', thing)}) >= (${listOf('s', thing)}) and (${listOf('o', key)}) <= (${listOf('s', key)})
      order by ${key.map((column) => `o.${column} desc`).join(', ')} limit 1
    ) o on true`;
}

function differs(table: Table, isRoot: boolean): string {
  return isRoot ? `(${contentDiffers(table)} or ${versionDiffers(table)})` : contentDiffers(table);
}

export function contentDiffers({ key, columns, uncompared = [] }: Table): string {
  const compared = Object.keys(columns).filter((column) => ![...key, ...uncompared].includes(column));
  return `(${[
    'o.brand_id is null',
    '(o.deleted_at is null) <> (s.deleted_at is null)',
    ...compared.map((column) => `s.${column} is distinct from o.${column}`),
  ].join(' or ')})`;
}

// Versions are compared at the root only, so its stored version must advance even if nothing else changed: otherwise an
// older version with other content that arrives later would count as new. An instant of our own request is not a
// version of the object, and would rewrite every root at each reading.
function versionDiffers({ observed }: Table): string {
  return observed
    ? '(s.deleted_at is not null and o.changed_at < s.changed_at)'
    : 'o.changed_at < s.changed_at';
}

function sameKey(key: readonly string[]): string {
  return key.map((column) => `s.${column} = o.${column}`).join(' and ');
}

export function listOf(row: string, columns: readonly string[]): string {
  return columns.map((column) => `${row}.${column}`).join(', ');
}

function marksStatement(tables: readonly Table[]): NamedStatement | undefined {
  const parts = tables.flatMap((table) => {
    const { name } = table;
    const marked = markedColumns(table, { zone: 'z.zone', connection: '$2::uuid' });
    if (marked.length === 0) return [];
    return `
      select i.subject, i.day, i.object
      from unnest($3::text[]) as w (id)
      cross join (select $4::text as zone) z
      cross join lateral (${rowsWhere(name, rootColumnOf(table))}) o
      cross join lateral (values ${marked.join(', ')}) as i (subject, day, object)
      where o.deleted_at is null and num_nonnulls(i.day, i.object) > 0`;
  });
  return parts.length === 0 ? undefined : statement(parts.join('\n union \n'));
}

/** The partitions of the marked columns of row `o`, as rows (subject, day, object) of SQL. */
export function markedColumns(
  { columns, marks = {} }: Table,
  names: Parameters<typeof partitionOf>[2],
): string[] {
  return Object.entries(marks).map(
    ([column, subject]) => `('${subject}', ${partitionOf('o', [column, columns[column]], names)})`,
  );
}

// The name includes a hash of the columns: two definitions of one table never share a staging table.
export function stagingName({ name, columns }: Table): string {
  return `pg_temp.staging_${bare(name)}_${digest(JSON.stringify(columns)).slice(0, 8)}`;
}

function bare(qualified: string): string {
  return qualified.slice(qualified.indexOf('.') + 1);
}

function assertIdentifiers({ name, key, columns, marks = {} }: Table): void {
  const names = [bare(name), ...key, ...Object.keys(columns), ...Object.values(marks)];
  const wrong = names.find((identifier) => !/^[a-z][a-z0-9_]{0,62}$/.test(identifier));
  if (wrong !== undefined) throw new TypeError(`${wrong} in the definition of ${name} is not a plain name`);
  const absent = [...key, ...Object.keys(marks)].find((column) => !(column in columns));
  if (absent !== undefined) throw new TypeError(`${name} has no column ${absent}`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
