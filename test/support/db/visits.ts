/**
 * How many rows statements visit, which is what a plan costs on any machine at any load; and what
 * PostgreSQL knows of its tables meanwhile: nothing, what was true when they were a thousand times
 * smaller, or all of it.
 */
import type { Tx } from '#sql/db/pool.ts';
import type { TestDb } from './db.ts';

type Plan = {
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Join Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: Plan[];
};

const OURS = "('app'::regnamespace, 'raw'::regnamespace, 'agg'::regnamespace, 'ops'::regnamespace)";

/** Statistics change when a test says so and at no other time. */
export async function keepStatisticsAsTheyAre(db: TestDb): Promise<void> {
  await db.query(`
    do $$ declare name text; begin
      for name in select oid::regclass from pg_class where relkind = 'r' and relnamespace in ${OURS} loop
        execute 'alter table ' || name || ' set (autovacuum_enabled = off)';
      end loop;
    end $$`);
}

/** As in a database that was restored a moment ago. */
export async function forgetStatistics(db: TestDb): Promise<void> {
  await db.query(`
    delete from pg_statistic where starelid in (select oid from pg_class where relnamespace in ${OURS});
    update pg_class set reltuples = -1, relpages = 0, relallvisible = 0
    where relkind in ('r', 'i') and relnamespace in ${OURS}`);
}

const EXPLAIN = `
  load 'auto_explain';
  set local auto_explain.log_analyze = on;
  set local auto_explain.log_timing = off;
  set local auto_explain.log_format = json;
  set local client_min_messages = log`;
const explaining = (isOn: boolean) => `set local auto_explain.log_min_duration = ${isOn ? 0 : -1}`;

/**
 * Rows that the statements of `work` visit: in each node of their plans, those that it gives and those that it
 * throws away, and those that functions read out of tables. Whatever `work` writes is undone.
 */
export async function visitsOf(db: TestDb, work: (tx: Tx) => Promise<unknown>): Promise<number> {
  let visits = 0;
  const onNotice = ({ message = '' }: { message?: string }) => {
    const [, plan] = /^duration: .* plan:\n(.*)$/s.exec(message) ?? [];
    if (plan !== undefined) visits += visited(JSON.parse(plan).Plan);
  };
  const undone = new Error('undone');
  await db
    .transaction(async (tx) => {
      const before = await rowsRead(tx);
      await tx.query(`${EXPLAIN}; ${explaining(true)}`);
      tx.on('notice', onNotice);
      await work(tx)
        .then(() => tx.query(explaining(false))) // only a next statement ends the last one, with its plan
        .finally(() => tx.off('notice', onNotice));
      visits += (await rowsRead(tx)) - before;
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  return visits;
}

function visited(plan: Plan): number {
  const removed =
    (plan['Rows Removed by Filter'] ?? 0) +
    (plan['Rows Removed by Join Filter'] ?? 0) +
    (plan['Rows Removed by Index Recheck'] ?? 0);
  const below = (plan.Plans ?? []).reduce((sum, one) => sum + visited(one), 0);
  return (plan['Actual Rows'] + removed) * plan['Actual Loops'] + below;
}

/** Counted since this session last reported its counts, which is never in a transaction. */
async function rowsRead(tx: Tx): Promise<number> {
  const { rows } = await tx.query(
    `select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::int as n
     from pg_stat_xact_user_tables where schemaname in ('raw', 'agg', 'app', 'ops')`,
  );
  return rows[0]?.n;
}
