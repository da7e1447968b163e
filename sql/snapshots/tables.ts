/** The tables of a snapshot and what one must know of each to read it. From the catalogue, so that none is forgotten. */
import type { Reader } from '../db/reader.ts';
import { leftOut } from './left_out.ts';

export const scopes = ['aggregates', 'all'] as const;
/** `aggregates`: configuration and figures. `all`: also rows of providers and the state of the platform. */
export type Scope = (typeof scopes)[number];

export type SnapshotTable = {
  /** Names are quoted by PostgreSQL, ready for a statement. */
  name: string;
  /** All that are stored; generated ones are not. */
  columns: { name: string; type: string }[];
  /** The primary key; empty if there is none. */
  key: { name: string; isText: boolean }[];
  /** A `date` or `timestamptz` that each row has: the rows of a month are a part. */
  datedBy: string | null;
  /** Of all brands together: the largest are read first. */
  bytes: number;
  /** Which rows are the brand's; `$1` is not used, because COPY takes no values. */
  of: 'brand_id' | 'id' | 'everybody';
};

/** Those whose values a part holds. The brand is that of all its rows: its first line names it once. */
export function partColumns({ columns, of }: SnapshotTable): SnapshotTable['columns'] {
  const others = columns.filter(({ name }) => of !== 'brand_id' || name !== 'brand_id');
  return others.length > 0 ? others : columns;
}

const SCHEMAS: Record<Scope, string[]> = { aggregates: ['app', 'agg'], all: ['app', 'raw', 'agg', 'ops'] };

/** Tables without brand_id. Rates are of all brands: figures in the reporting currency cannot be made without. */
const WITHOUT_BRAND_ID: Readonly<Record<string, SnapshotTable['of']>> = {
  'app.brands': 'id',
  'app.fx_rates': 'everybody',
};

/**
 * Which column dates a table: the first that it has, and that is never null. Those in front never change, so a change
 * concerns one month; one of `changed_at` concerns the month before it and the month after it.
 */
const DATING = [
  'day',
  'month',
  'booked_at',
  'happened_at',
  'created_at',
  'read_at',
  'published_at',
  'valid_from',
  'queued_at',
  'at',
  'changed_at',
  'computed_at',
];

const TABLES = `
  select t.oid::regclass::text as name,
         (select jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod))
                           order by a.attnum)
          from pg_attribute a
          where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
         (select coalesce(jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'isText', a.attcollation <> 0)
                                    order by k.place), '[]')
          from pg_index i cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
          join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
          where i.indrelid = t.oid and i.indisprimary) as key,
         (select quote_ident(a.attname)
          from unnest($2::text[]) with ordinality as d (name, place)
          join pg_attribute a on a.attrelid = t.oid and a.attname = d.name and a.attnotnull
            and a.atttypid = any (array['date', 'timestamptz']::regtype[])
          order by d.place limit 1) as "datedBy",
         pg_table_size(t.oid) as bytes, coalesce(w.of, 'brand_id') as of
  from pg_class t join pg_namespace n on n.oid = t.relnamespace
  left join jsonb_each_text($3::jsonb) as w (name, of) on to_regclass(w.name) = t.oid
  where t.relkind in ('r', 'p') and not t.relispartition and n.nspname = any ($1)
    and (w.of is not null or exists (
      select from pg_attribute a where a.attrelid = t.oid and a.attname = 'brand_id' and not a.attisdropped))
  order by 1`;

export async function snapshotTables(db: Reader, scope: Scope): Promise<SnapshotTable[]> {
  const { rows } = await db.query<SnapshotTable>(TABLES, [
    SCHEMAS[scope],
    DATING,
    JSON.stringify(WITHOUT_BRAND_ID),
  ]);
  return rows.filter(({ name }) => !(name in leftOut));
}
