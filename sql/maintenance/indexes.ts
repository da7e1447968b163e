/**
 * Which indexes are to be built again. How large one would be when new is estimated from what is known without reading it: its
 * rows, the average width of its columns (pg_stats), and how a B-tree lays them out. After the estimate of
 * https://github.com/ioguix/pgsql-bloat-estimation (btree). Equal keys are stored once, which the estimate does not know, so it
 * may take an index for less bloated than it is, and not for more.
 */
import type { Reader } from '../db/reader.ts';
import { SCHEMAS } from './tables.ts';

/** Smaller ones cost nobody anything: 4 MiB. */
export const PAGES_MIN = 512;
/** Twice as large as a new one: a B-tree that is filled in any order has pages that are 70 % full, so 1.3 times is usual. */
export const BLOAT_MIN = 2;

const PAGE_HEADER = 24;
/** Of a B-tree. */
const PAGE_TAIL = 16;
const ITEM_POINTER = 4;
const ITEM_HEADER = 8;

export type BloatedIndex = { name: string; pages: number; expected: number };

/** The worst first. Those of exclusion constraints cannot be built beside the old one. */
export async function bloatedIndexes(db: Reader, max: number): Promise<BloatedIndex[]> {
  const { rows } = await db.query<BloatedIndex>(
    `with indexes as (
       select c.oid, c.reltuples::float8 as rows, pg_relation_size(c.oid) / b.size as pages, b.size as page,
              coalesce((select o.option_value::float8 from pg_options_to_table(c.reloptions) o
                        where o.option_name = 'fillfactor'), 90) / 100 as fill,
              (select sum(s.avg_width)::float8
               from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
               left join pg_attribute a on a.attrelid = case k.attnum when 0 then c.oid else i.indrelid end
                 and a.attnum = case k.attnum when 0 then k.place else k.attnum end
               left join pg_stats s on s.schemaname = n.nspname and s.attname = a.attname
                 and s.tablename = case k.attnum when 0 then c.relname else t.relname end
               having bool_and(s.avg_width is not null)) as width
       from pg_index i
       join pg_class c on c.oid = i.indexrelid
       join pg_class t on t.oid = i.indrelid
       join pg_namespace n on n.oid = t.relnamespace
       join pg_am m on m.oid = c.relam
       cross join (select current_setting('block_size')::bigint as size) b
       where c.relkind = 'i' and c.relpersistence = 'p' and m.amname = 'btree' and i.indisvalid and not i.indisexclusion
         and n.nspname = any ($1) and c.reltuples >= 0
     ), estimated as (
       select oid, pages, 1 + ceil(
                rows * (${ITEM_POINTER} + 8 * ceil((${ITEM_HEADER} + width) / 8)) / ((page - ${PAGE_HEADER + PAGE_TAIL}) * fill)) as expected
       from indexes where width is not null
     )
     select oid::regclass::text as name, pages::float8 as pages, expected from estimated
     where pages >= ${PAGES_MIN} and pages >= ${BLOAT_MIN} * expected
     order by pages - expected desc, name limit $2`,
    [SCHEMAS, max],
  );
  return rows;
}

/**
 * What a `reindex concurrently` left that was broken off: a new index that was not finished, or an old one that was not dropped.
 * One that is being built now is none.
 */
export async function leftOverIndexes(db: Reader): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select i.indexrelid::regclass::text as name
     from pg_index i
     join pg_class c on c.oid = i.indexrelid
     join pg_class t on t.oid = i.indrelid
     where not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$' and t.relnamespace::regnamespace::text = any ($1)
       and not exists (select from pg_stat_progress_create_index p where p.relid = i.indrelid)
     order by 1`,
    [SCHEMAS],
  );
  return rows.map(({ name }) => name);
}

/** Indexes of this size that nothing has read since the server counts; of keys and constraints none. */
export async function unusedIndexes(
  db: Reader,
  max: number,
): Promise<{ name: string; since: Date | null }[]> {
  const { rows } = await db.query<{ name: string; since: Date | null }>(
    `select s.indexrelid::regclass::text as name, d.stats_reset as since
     from pg_stat_user_indexes s
     join pg_index i on i.indexrelid = s.indexrelid
     join pg_stat_database d on d.datname = current_database()
     where s.idx_scan = 0 and not i.indisunique and s.schemaname = any ($1)
       and pg_relation_size(s.indexrelid) >= ${PAGES_MIN} * current_setting('block_size')::bigint
     order by pg_relation_size(s.indexrelid) desc, name limit $2`,
    [SCHEMAS, max],
  );
  return rows;
}
