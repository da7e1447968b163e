/**
 * Vacuums tables that need it and that autovacuum leaves (`sql/maintenance/tables.ts`), builds bloated indexes again beside the
 * old ones, and removes what broken builds left. One table at a time, in a session of its own: none of it can be in a
 * transaction. Nothing waits for a lock longer than `LOCK_SECONDS`, so nobody waits behind it: it is tried again the next time.
 */
import pg from 'pg';
import { z } from 'zod';
import { type Db, openDb } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { bloatedIndexes, leftOverIndexes } from '#sql/maintenance/indexes.ts';
import { readAge, tablesToVacuum } from '#sql/maintenance/tables.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

const TIMEOUT_SECONDS = 6 * 3_600;
const STATEMENT_MS = 5 * 3_600_000;
const LOCK_SECONDS = 1;
const TABLES_MAX = 50;
const INDEXES_MAX = 10;
/** A build waits for each transaction that began before it, and would not get that far. */
const TRANSACTION_SECONDS_MAX = 60;

/** No harder on the disk than autovacuum; a build may use some memory for its sort. */
const SETTINGS = [
  `set lock_timeout = '${LOCK_SECONDS}s'`,
  "set vacuum_cost_delay = '2ms'",
  "set maintenance_work_mem = '64MB'",
];

/** Locks that others hold, and what is gone meanwhile. */
const PASSING = ['55P03', '42P01', '42704', '40P01'];

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
    };
  },
});

type Outcome = { done: string[]; busy: string[] };

async function vacuumTables(own: Db, context: TaskContext): Promise<Outcome> {
  const names = (await tablesToVacuum(own, TABLES_MAX)).map(({ name }) => name);
  return each(own, context, { names, statement: (name) => `vacuum (analyze) ${name}` });
}

async function rebuildIndexes(own: Db, context: TaskContext): Promise<Outcome> {
  const names = (await bloatedIndexes(own, INDEXES_MAX)).map(({ name }) => name);
  return each(own, context, { names, statement: (name) => `reindex index concurrently ${name}` });
}

async function dropLeftOvers(own: Db, context: TaskContext): Promise<string[]> {
  const names = await leftOverIndexes(own);
  const statement = (name: string) => `drop index concurrently if exists ${name}`;
  return (await each(own, context, { names, statement })).done;
}

/** Names come from the catalogue, quoted by PostgreSQL. */
async function each(
  own: Db,
  { signal, progress }: TaskContext,
  { names, statement }: { names: readonly string[]; statement(name: string): string },
): Promise<Outcome> {
  const outcome: Outcome = { done: [], busy: [] };
  for (const name of names) {
    signal.throwIfAborted();
    progress({ at: name });
    try {
      await own.query(statement(name));
      outcome.done.push(name);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !PASSING.includes(error.code ?? '')) throw error;
      outcome.busy.push(name);
    }
  }
  return outcome;
}
