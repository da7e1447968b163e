/**
 * Vacuums tables that need it and that autovacuum leaves (`sql/maintenance/tables.ts`), builds bloated indexes again beside the
 * old ones, and removes what broken builds left. One table at a time, in a session of its own: none of it can be in a
 * transaction. Nothing waits for a lock longer than a second, but a build, which waits for the end of transactions: nobody who
 * reads or writes waits behind it. What is busy or takes too long is left for the next time, and named in the tally.
 */
import pg from 'pg';
import { z } from 'zod';
import { type Db, openDb } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { bloatedIndexes, leftOverIndexes } from '#sql/maintenance/indexes.ts';
import { readAge, tablesToVacuum } from '#sql/maintenance/tables.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

const TIMEOUT_SECONDS = 6 * 3_600;
/** One table that takes longer leaves time for others. */
const STATEMENT_MS = 2 * 3_600_000;
const TABLES_MAX = 50;
const INDEXES_MAX = 10;
/** A build waits for each transaction that began before it, and would not get that far. */
const TRANSACTION_SECONDS_MAX = 60;
const LOCK_SECONDS = { usual: 1, build: TRANSACTION_SECONDS_MAX };

/** No harder on the disk than autovacuum; a build may use some memory for its sort. */
const SETTINGS = ["set vacuum_cost_delay = '2ms'", "set maintenance_work_mem = '64MB'"];

/** Locks that others hold, what is gone meanwhile, and what took too long or was cancelled. */
const PASSING = ['55P03', '42P01', '42704', '40P01', '57014'];

export const maintenance = defineTask({
  name: 'maintenance',
  payload: z.strictObject({}),
  lane: () => 'maintenance',
  key: () => 'all',
  attempts: 3,
  timeoutSeconds: TIMEOUT_SECONDS,
  priority: 'bulk',
  schedules: [{ name: 'maintenance', of: 'platform', expression: '40 * * * *' }],
  async run(_, context): Promise<Tally> {
    const { url } = context.services;
    if (url === undefined) throw new TypeError('maintenance needs the address of the database');
    await using own = openDb(url, {
      ...{ applicationName: 'nightshift maintenance', max: 1, statementTimeoutMs: STATEMENT_MS },
    });
    for (const statement of SETTINGS) await own.query(statement);
    using _cancelling = await cancelledWith(own, context);
    const vacuumed = await vacuumTables(own, context);
    const age = await readAge(own);
    const dropped = await dropLeftOvers(own, context);
    const rebuilt =
      age.transactionSeconds > TRANSACTION_SECONDS_MAX
        ? { done: [], busy: [] }
        : await rebuildIndexes(own, context);
    const broken = await dropLeftOvers(own, context);
    const analyzed = await context.db.transaction(analyzeChanged);
    const busy = [...vacuumed.busy, ...rebuilt.busy];
    return {
      ...{ vacuumed: vacuumed.done.length, reindexed: rebuilt.done.length, analyzed: analyzed.length },
      ...{ dropped: dropped.length + broken.length, busy: busy.length },
      ...{ xid_age: age.xid, oldest_transaction_seconds: Math.round(age.transactionSeconds) },
      ...(vacuumed.done.length > 0 && { tables: vacuumed.done.join(', ') }),
      ...(rebuilt.done.length > 0 && { indexes: rebuilt.done.join(', ') }),
      ...(busy.length > 0 && { left: busy.join(', ') }),
    };
  },
});

/** A statement hears no signal: until this is disposed of, the server ends the one that runs. */
async function cancelledWith(own: Db, { db, signal }: TaskContext): Promise<Disposable> {
  const { rows } = await own.query<{ pid: number }>('select pg_backend_pid() as pid');
  // Should it fail, the session ends with the process.
  const cancel = () => void db.query('select pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => {});
  signal.addEventListener('abort', cancel);
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', cancel) };
}

type Outcome = { done: string[]; busy: string[] };

async function vacuumTables(own: Db, context: TaskContext): Promise<Outcome> {
  const names = (await tablesToVacuum(own, TABLES_MAX)).map(({ name }) => name);
  return each(own, context, { names, lock: 'usual', statement: (name) => `vacuum (analyze) ${name}` });
}

async function rebuildIndexes(own: Db, context: TaskContext): Promise<Outcome> {
  const names = (await bloatedIndexes(own, INDEXES_MAX)).map(({ name }) => name);
  return each(own, context, {
    names,
    lock: 'build',
    statement: (name) => `reindex index concurrently ${name}`,
  });
}

async function dropLeftOvers(own: Db, context: TaskContext): Promise<string[]> {
  const names = await leftOverIndexes(own);
  const statement = (name: string) => `drop index concurrently if exists ${name}`;
  return (await each(own, context, { names, lock: 'usual', statement })).done;
}

type Each = { names: readonly string[]; lock: keyof typeof LOCK_SECONDS; statement(name: string): string };

/** Names come from the catalogue, quoted by PostgreSQL. */
async function each(
  own: Db,
  { signal, progress }: TaskContext,
  { names, lock, statement }: Each,
): Promise<Outcome> {
  await own.query(`set lock_timeout = '${LOCK_SECONDS[lock]}s'`);
  const outcome: Outcome = { done: [], busy: [] };
  for (const name of names) {
    signal.throwIfAborted();
    progress({ at: name });
    try {
      await own.query(statement(name));
      outcome.done.push(name);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof pg.DatabaseError) || !PASSING.includes(error.code ?? '')) throw error;
      outcome.busy.push(name);
    }
  }
  return outcome;
}
