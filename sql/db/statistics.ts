/**
 * Keeps planner statistics fresh. Autovacuum may be off or late, so after writing, tables that have changed much since
 * they were analyzed are analyzed. Our own statements do not need it (planner.ts); reports over `bi` do.
 */
import type { Tx } from './pool.ts';

/**
 * In pages: any plan reads a smaller table quickly. Those of `app` are analyzed however small they are, because every report
 * joins brands, retailers or connections: without statistics of these it is planned for one row of ten thousand.
 */
const SIZE_MIN = 16;
/**
 * With PostgreSQL's default (100) the tables of an order cost a second of processor time, many times in a first load.
 * A fifth of it still distinguishes large from small and frequent from rare.
 */
const STATISTICS_TARGET = 20;
/**
 * A table counts as changed at this many times its pages when analyzed, or with this share of its rows changed. For the
 * share alone it is analyzed once in `PAUSE` only: while a first load fills it, each stream that ends would do it again.
 */
const GROWTH = 2;
const CHANGED_PART = 0.2;
const PAUSE = '1 minute';

// The size comes from the file itself. Each session reports its changes with a delay, which is too late for a table
// that has just been filled, but in time for one that is rewritten. Whether there are statistics is known by the time
// of analysis: an empty table has none, however often it is analyzed.
const CHANGED = `
  select t.oid::regclass::text as name
  from pg_class t
  join pg_namespace n on n.oid = t.relnamespace and n.nspname in ('app', 'raw', 'agg', 'ops')
  cross join lateral (
    select pg_relation_size(t.oid) / current_setting('block_size')::bigint as pages,
           coalesce(pg_stat_get_mod_since_analyze(t.oid), 0) as changes,
           coalesce(pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)) as analyzed_at
  ) s
  where t.relkind = 'r' and s.pages >= case n.nspname when 'app' then 1 else ${SIZE_MIN} end
    and (s.pages >= ${GROWTH} * t.relpages or s.analyzed_at is null
         or s.changes > ${CHANGED_PART} * t.reltuples and s.analyzed_at < now() - interval '${PAUSE}')
  order by name`;

/** Analyzes the tables that have changed much and returns their names, except those that another session analyzes. */
export async function analyzeChanged(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>(CHANGED);
  const names = rows.map(({ name }) => name);
  if (names.length === 0) return names;
  await tx.query(`set local default_statistics_target = ${STATISTICS_TARGET}`);
  await tx.query(`analyze (skip_locked) ${names.join(', ')}`);
  return names;
}
