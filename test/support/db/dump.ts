/** Everything that a database holds, as text: what is in no row of it is nowhere in a dump. */
import type { TestDb } from './db.ts';

const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
    and n.nspname !~ '^pg_(toast|temp)'
  order by 1`;

/** Each row of each table of every schema, with the name of its table before it. */
export async function dumpOf(db: TestDb): Promise<string[]> {
  const rows: string[] = [];
  for (const name of await db.column(TABLES))
    for (const row of await db.column(`select t::text from ${name} t`)) rows.push(`${name}: ${row}`);
  return rows;
}
