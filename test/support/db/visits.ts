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

const PLANNED = /^\s*(?:select|with|insert|update|delete)\b/i;

/**
 * Rows that the statements of `work` visit: in each node of their plans, those that it gives and those that it
 * throws away, and those that functions read out of tables. Whatever `work` writes is undone.
 */
export async function visitsOf(db: TestDb, work: (tx: Tx) => Promise<unknown>): Promise<number> {
  let visits = 0;
  const explain = async (tx: Tx, text: string, values?: unknown[]) => {
    await tx.query('savepoint before_explain');
    const { rows } = await tx.query(`explain (analyze, timing off, format json) ${text}`, values);
    await tx.query('rollback to savepoint before_explain');
    visits += visited(rows[0]?.['QUERY PLAN'][0].Plan);
  };
  const undone = new Error('undone');
  await db
    .transaction(async (tx) => {
      const before = await rowsRead(tx);
      await work(
        new Proxy(tx, {
          get: (target, key) => {
            const value = Reflect.get(target, key);
            if (key !== 'query') return typeof value === 'function' ? value.bind(target) : value;
            // What is no plain statement, such as a stream that copies rows, is handed on as it is.
            return (statement: string | { text?: string; values?: unknown[] }, values?: unknown[]) => {
              const given = typeof statement === 'string' ? { text: statement, values } : statement;
              const run = () => tx.query(statement as string, values);
              if (given.text === undefined || !PLANNED.test(given.text)) return run();
              return explain(tx, given.text, given.values).then(run);
            };
          },
        }),
      );
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
