/** Which tables a rollup reads: those that it names, and those behind the views and functions of `fact` that it names. */
import type { Rollup } from '#sql/rollups/rollup.ts';
import type { TestDb } from './db.ts';

export async function tablesReadBy(db: TestDb, { reads }: Pick<Rollup, 'reads'>): Promise<string[]> {
  const tables = await db.column(
    `with recursive texts (name, text) as (
       select 'fact.' || relname, pg_get_viewdef(oid)
       from pg_class where relkind = 'v' and relnamespace = 'fact'::regnamespace
       union all
       select 'fact.' || proname, prosrc from pg_proc where pronamespace = 'fact'::regnamespace
     ), reached (name) as (
       select unnest($1::text[]) collate "C"
       union
       select m[1] collate "C"
       from reached join texts using (name), regexp_matches(text, '\\m(?:fact|raw|agg)\\.\\w+', 'g') m
     )
     select name from reached where name !~ '^fact' order by name`,
    [reads],
  );
  return tables.map(String);
}
