/** Every table with rows of a brand and what in them can hold a text. From the catalogue, so that none is forgotten. */
import type { Reader } from '../db/reader.ts';

export type TextColumn = { name: string; type: string };
export type TextTable = {
  schema: string;
  /** Quoted by PostgreSQL. */
  name: string;
  key: readonly TextColumn[];
  texts: readonly TextColumn[];
  /** The table that this one is a copy of: nothing is sent, computed or marked by its rows. */
  live?: string;
};

const TABLES = `
  select n.nspname as schema, t.oid::regclass::text as name,
         (select coalesce(jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod))
                          order by k.place), '[]')
          from pg_index i cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
          join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
          where i.indrelid = t.oid and i.indisprimary and a.attname <> 'brand_id') as key,
         (select coalesce(jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, null))
                          order by a.attnum), '[]')
          from pg_attribute a
          where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            and a.atttypid = any (array['text', 'text[]', 'varchar', 'json', 'jsonb', 'bytea']::regtype[])) as texts
  from pg_class t join pg_namespace n on n.oid = t.relnamespace
  where t.relkind in ('r', 'p') and not t.relispartition and n.nspname in ('app', 'raw', 'agg', 'ops')
    and exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'brand_id' and not a.attisdropped)
    and t.oid <> all (array['ops.erased_identifiers', 'ops.erased_persons', 'ops.privacy_requests']::regclass[])
  order by 2`;

export async function textTablesOf(db: Reader): Promise<TextTable[]> {
  const { rows } = await db.query<TextTable>(TABLES);
  return rows.filter(({ texts }) => texts.length > 0);
}
