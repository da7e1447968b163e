/** Rules of the schema, asked of PostgreSQL's own catalogue. Each gives what breaks it. */
import { streams } from '#connectors/providers.ts';
import { indexedColumnsOf } from '#sql/db/copy.ts';
import type { TestDb } from './db.ts';

// Shared by all brands, so without a brand of their own.
const SHARED = ['app.brands', 'app.fx_rates'];
/** Of no provider: what senders of a brand report, bounded by sql/events/event.ts. */
const EVENTS = ['raw.events', 'raw.event_ids', 'raw.past_exposures'];

const columnNames = (relation: string, numbers: string) => `
  (select array_agg(a.attname::text order by n.position) from unnest(${numbers}) with ordinality as n (number, position)
   join pg_attribute a on a.attrelid = ${relation} and a.attnum = n.number)`;

/** Tables of raw and agg without a primary key, or with one that does not begin with brand_id. */
export function keysWithoutBrand(db: TestDb): Promise<unknown[]> {
  return db.column(`
    select t.oid::regclass::text from pg_class t
    left join pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
    where t.relkind in ('r', 'p') and t.relnamespace in ('raw'::regnamespace, 'agg'::regnamespace)
      and (${columnNames('t.oid', 'k.conkey')})[1] is distinct from 'brand_id'
    order by 1`);
}

/** Unique keys and indexes of tables with tenant data that could clash between two brands. */
export function uniqueAcrossBrands(db: TestDb): Promise<unknown[]> {
  return db.column(
    `select i.indexrelid::regclass::text from pg_index i join pg_class t on t.oid = i.indrelid
     where i.indisunique and t.oid::regclass::text <> all ($1)
       and t.relnamespace in ('raw'::regnamespace, 'agg'::regnamespace, 'app'::regnamespace)
       and (${columnNames('t.oid', 'i.indkey::int2[]')})[1] is distinct from 'brand_id'
     order by 1`,
    [SHARED],
  );
}

/** Foreign keys by which a row of one brand could point to a row of another. */
export function foreignKeysAcrossBrands(db: TestDb): Promise<unknown[]> {
  const from = columnNames('k.conrelid', 'k.conkey');
  const to = columnNames('k.confrelid', 'k.confkey');
  return db.column(`
    select k.conrelid::regclass || ': ' || k.conname from pg_constraint k
    join pg_class t on t.oid = k.conrelid
    where k.contype = 'f'
      and t.relnamespace in ('raw'::regnamespace, 'agg'::regnamespace, 'app'::regnamespace, 'ops'::regnamespace)
      and exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'brand_id')
      and case
        when k.confrelid = 'app.brands'::regclass then ${from} is distinct from '{brand_id}'
        else ${from}[1] is distinct from 'brand_id' or ${to}[1] is distinct from 'brand_id'
      end
    order by 1`);
}

/** Tables, views of bi and columns of those that do not say what they mean. */
export function undescribed(db: TestDb): Promise<unknown[]> {
  return db.column(`
    select v.oid::regclass || coalesce('.' || a.attname, '') from pg_class v
    join pg_namespace n on n.oid = v.relnamespace
    cross join lateral (
      select 0 as attnum, null as attname
      union all select attnum, attname from pg_attribute
      where n.nspname = 'bi' and attrelid = v.oid and attnum > 0 and not attisdropped
    ) a
    where n.nspname in ('app', 'raw', 'agg', 'ops', 'bi')
      and v.relkind = any (case n.nspname when 'bi' then '{v,m,r,p}' else '{r,p}' end::"char"[])
      and v.oid <> 'ops.migrations'::regclass -- the migration runner's own
      and coalesce(col_description(v.oid, a.attnum), '') = ''
    order by v.oid::regclass::text, a.attnum`);
}

/** Columns whose type loses digits, or an instant whose zone is anybody's guess. */
export function inexactColumns(db: TestDb): Promise<unknown[]> {
  return db.column(`
    select t.oid::regclass || '.' || a.attname || ' ' || a.atttypid::regtype from pg_attribute a
    join pg_class t on t.oid = a.attrelid join pg_namespace n on n.oid = t.relnamespace
    where n.nspname in ('app', 'raw', 'fact', 'agg', 'bi', 'ops') and t.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0
      and a.atttypid::regtype::text in ('double precision', 'real', 'money', 'timestamp without time zone')
      and t.oid <> 'ops.migrations'::regclass -- the migration runner's own
    order by 1`);
}

/** Tables of raw without the columns that every row of a provider has. */
export function rawWithoutStamps(db: TestDb): Promise<unknown[]> {
  return db.column(
    `
    select t.oid::regclass || ' lacks ' || c.name from pg_class t
    cross join unnest(array['connection_id', 'payload', 'changed_at', 'seen_at', 'deleted_at']) as c (name)
    where t.relnamespace = 'raw'::regnamespace and t.relkind in ('r', 'p') and t.oid::regclass::text <> all ($1)
      and not exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = c.name)
    order by 1`,
    [EVENTS],
  );
}

/** Text of raw that stands in an index as it is, but is not kept short enough for one (`indexed` of its table). */
export async function unboundedInIndexes(db: TestDb): Promise<unknown[]> {
  const tables = new Map(
    streams.flatMap((stream) => stream.tables.map((table) => [table.name as string, table])),
  );
  const found = await db.rows<{ relation: string; column: string }>(`
    select distinct t.oid::regclass::text as relation, a.attname::text as column from pg_index i
    join pg_class t on t.oid = i.indrelid and t.relnamespace = 'raw'::regnamespace
    join pg_attribute a on a.attrelid = t.oid and a.attnum = any (i.indkey::int2[]) and a.atttypid = 'text'::regtype
    order by 1, 2`);
  return found.flatMap(({ relation, column }) => {
    const table = tables.get(relation);
    const isBounded =
      EVENTS.includes(relation) || column.endsWith('_id') || (table && indexedColumnsOf(table).has(column));
    return isBounded ? [] : `${relation}.${column}`;
  });
}
