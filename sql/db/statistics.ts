/**
 * What PostgreSQL knows of its tables. Autovacuum may be off or late, so whoever has written looks which tables
 * have changed much since they were analyzed, whoever changed them, and has them analyzed. Nothing of ours needs
 * that to end in time (planner.ts); reports that somebody writes over `bi` do.
 */
import type { Tx } from './pool.ts';

/** In pages: a smaller table is read in a moment by any plan. */
const SIZE_MIN = 16;
/**
 * PostgreSQL's own sample (100) takes a second of the processor for the tables of an order, many times in
 * a first load. A fifth of it tells large from small and frequent from rare.
 */
const STATISTICS_TARGET = 20;
/** Times as many pages as when it was analyzed, or changes of so large a part of its rows. */
const GROWTH = 2;
const CHANGED_PART = 0.2;

// The size is told by the file itself. Changes are counted by each session and told by and by, which is late
// for a table that has just been filled, but in time for one that is rewritten. Whether there are statistics is
// told by when they were made: of a table whose rows are all gone none are left, however often it is analyzed.
const CHANGED = `
  select t.oid::regclass::text as name
  from pg_class t
  join pg_namespace n on n.oid = t.relnamespace and n.nspname in ('app', 'raw', 'agg', 'ops')
  cross join lateral (
    select pg_relation_size(t.oid) / current_setting('block_size')::bigint as pages,
           coalesce(pg_stat_get_mod_since_analyze(t.oid), 0) as changes,
           coalesce(pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)) as analyzed_at
  ) s
  where t.relkind = 'r' and s.pages >= ${SIZE_MIN}
    and (s.pages >= ${GROWTH} * t.relpages or s.changes > ${CHANGED_PART} * t.reltuples
         or s.analyzed_at is null)
  order by name`;

/** Analyzes what has changed much, and names it. A table that another session analyzes is left to it. */
export async function analyzeChanged(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>(CHANGED);
  const names = rows.map(({ name }) => name);
  if (names.length === 0) return names;
  await tx.query(`set local default_statistics_target = ${STATISTICS_TARGET}`);
  await tx.query(`analyze (skip_locked) ${names.join(', ')}`);
  return names;
}
