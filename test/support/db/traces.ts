/** What the database holds of an id, wherever it stands; and rows in every table that could hold one. */
import type { TestDb } from './db.ts';

const SCHEMAS = ['app', 'raw', 'agg', 'ops', 'graphile_worker'];

async function allTables(db: TestDb): Promise<string[]> {
  const tables = await db.column(
    `select oid::regclass::text from pg_class
     where relkind in ('r', 'p') and not relispartition and relnamespace = any ($1::regnamespace[]) order by 1`,
    [SCHEMAS],
  );
  return tables.map(String);
}

/** Rows by table that name one of the ids anywhere in them. */
export async function rowsNaming(db: TestDb, ids: readonly string[]): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const table of await allTables(db)) {
    const rows = await db.column(
      `select t::text from ${table} t
       where exists (select from unnest($1::text[]) i where position(i in t::text) > 0) order by 1`,
      [ids],
    );
    if (rows.length > 0) found[table] = rows;
  }
  return found;
}

/** Their tables, each with how many rows it has. */
export async function tracesOf(db: TestDb, ...ids: string[]): Promise<Record<string, number>> {
  const found = await rowsNaming(db, ids);
  return Object.fromEntries(Object.entries(found).map(([table, rows]) => [table, rows.length]));
}

export type Ids = { brandId: string; retailerId: string; connectionId: string };

const INSTANT = '2024-05-01T12:00:00Z';
const VALUES: Readonly<Record<string, string>> = {
  uuid: '00000000-0000-4000-8000-000000000000',
  text: 'x',
  boolean: 'false',
  jsonb: '{}',
  date: '2024-05-01',
  'timestamp with time zone': INSTANT,
  bytea: '\\x00',
};

const FOREIGN_KEY_VIOLATION = '23503';

/** With where to look for a value that its foreign key finds, and the first of those that its check allows. */
type Column = { name: string; type: string; refersTo: string | null; allowed: string | null };

/** A row in every table of a tenant that has none of these: a table that somebody adds is filled too. */
export async function fillEveryTable(
  db: TestDb,
  { brandId, retailerId, connectionId }: Ids,
): Promise<string[]> {
  await db.query('select ops.make_event_months($1)', [[INSTANT]]);
  const given: Record<string, string> = {
    brand_id: brandId,
    retailer_id: retailerId,
    connection_id: connectionId,
    currency: 'GBP',
    time_zone: 'UTC',
    reporting_currency: 'GBP',
    concurrency: '1',
    payload: JSON.stringify({ brandId, connectionId }),
  };
  const tables = await db.rows<{ name: string; columns: Column[] }>(`
    select t.oid::regclass::text as name,
           jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, null),
             'refersTo', (select format('select %I as value from %s where brand_id = $1', p.attname, k.confrelid::regclass)
                from pg_constraint k cross join unnest(k.conkey, k.confkey) as pair (own, theirs)
                join pg_attribute p on p.attrelid = k.confrelid and p.attnum = pair.theirs
                where k.contype = 'f' and k.conrelid = t.oid and pair.own = a.attnum limit 1),
             'allowed', (select substring(pg_get_constraintdef(k.oid) from 'ARRAY.''([^'']+)''') from pg_constraint k
                where k.contype = 'c' and k.conrelid = t.oid and k.conkey = array[a.attnum] limit 1))) as columns
    from pg_class t join pg_attribute a on a.attrelid = t.oid
    where t.relkind in ('r', 'p') and not t.relispartition and t.relnamespace in ('raw'::regnamespace, 'agg'::regnamespace, 'ops'::regnamespace)
      and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
      and (a.attnotnull and not a.atthasdef or a.attname in ('brand_id', 'retailer_id', 'connection_id')
        or a.attname like '%mrr' or a.attname = 'monthly' -- amounts that may be null, but only with a cause
        or t.relname = 'marks' and a.attname = 'day') -- which is of a day or of an object
      and exists (select from pg_attribute b where b.attrelid = t.oid and b.attname = 'brand_id')
    group by t.oid order by 1`);
  const filling = async ({ name, type, refersTo, allowed }: Column): Promise<unknown> =>
    given[name] ??
    (refersTo && (await db.column(refersTo, [brandId]))[0]) ??
    allowed ??
    VALUES[type] ??
    (type.endsWith('[]') ? '{}' : '0');
  const waiting = [...tables];
  for (let tried = 0; waiting.length > 0 && tried < tables.length ** 2; tried++) {
    const [table = { name: '', columns: [] }] = waiting.splice(0, 1);
    const values = await Promise.all(table.columns.map(filling));
    const names = table.columns.map((column) => column.name).join(', ');
    const places = table.columns.map((_, at) => `$${at + 1}`).join(', ');
    await db
      .query(`insert into ${table.name} (${names}) values (${places}) on conflict do nothing`, values)
      .catch((error: { code?: string }) => {
        if (error.code !== FOREIGN_KEY_VIOLATION || waiting.length === 0) throw error;
        waiting.push(table); // behind the one that it refers to
      });
  }
  return tables.map(({ name }) => name);
}
