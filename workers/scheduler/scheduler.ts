/**
 * A scheduler: looks each second which schedules have a slot to decide. node-cron wakes it; what comes due, and
 * what becomes of it, PostgreSQL says, so any number of schedulers may run, none need run on, and what came due
 * while none did is decided by the first that is back.
 */
import { hostname } from 'node:os';
import { createTask } from 'node-cron';
import pLimit from 'p-limit';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { type Db, openDb } from '#sql/db/pool.ts';
import { databaseTime, dueSchedules, lockSchedule } from '#sql/schedules/schedules.ts';
import type { Task } from '#tasks/task.ts';
import { isPassing } from '../queue/db_retry.ts';
import { fillBackfills } from './backfill.ts';
import { guardClock } from './clock.ts';
import { addMissingDefaults } from './defaults.ts';
import { decideDue, type Pass } from './pass.ts';

export type SchedulerOptions = {
  url: string;
  log: Log;
  tasks: readonly Task[];
  /** Hears of an error that kept a schedule from being decided. */
  report?: (error: unknown, tags: Record<string, string>) => void;
  /** The instant it is, by the database when left out. For tests and the demo. */
  clock?: (db: Db) => Promise<Date>;
};

export type Scheduler = AsyncDisposable & { stop(): Promise<void> };

const EACH_SECOND = '* * * * * *';
/** Commands give a brand or a connection its schedules at once; this is for those that came another way. */
const DEFAULTS_EVERY_MS = 60_000;
const AT_ONCE = 4;
/** In one look, the most late first; the next look takes the others. */
const DUE_MAX = 1_000;
/** A row that a command holds, or a job that is being claimed, is waited for this long; then the next look tries. */
const LOCK_TIMEOUT = '2s';

/** Starts looking; leaving the scope ends it, after the look that is under way. */
export async function startScheduler({ url, log, ...options }: SchedulerOptions): Promise<Scheduler> {
  await using opening = new AsyncDisposableStack();
  const db = opening.use(openDb(url, { applicationName: 'nightshift scheduler', max: AT_ONCE + 1 }));
  await assertSchema(db);
  const opened = opening.move();
  const guard = guardClock();
  let isInDoubt = false;
  let defaultsDueAt = 0;
  const failing = new Set<number>();
  let looking: Promise<void> = Promise.resolve();
  const look = async () => {
    const now = await (options.clock ?? databaseTime)(db);
    const isBelieved = options.clock !== undefined || guard.believes(now);
    if (!isBelieved && !isInDoubt)
      log.warn({ now }, 'the clock of the database jumped ahead; nothing fires until it has lasted');
    isInDoubt = !isBelieved;
    if (!isBelieved) return;
    if (performance.now() >= defaultsDueAt) {
      await addMissingDefaults(db, options.tasks);
      defaultsDueAt = performance.now() + DEFAULTS_EVERY_MS;
    }
    await lookOnce({ db, log, now, failing, ...options });
  };
  const waker = createTask(
    EACH_SECOND,
    () => {
      looking = look().catch((error) => {
        log.warn({ reason: messageOf(error) }, 'the schedules could not be looked at'); // the next second may
      });
      return looking;
    },
    { noOverlap: true, suppressMissedWarning: true },
  );
  await waker.start();
  let ended: Promise<void> | undefined;
  const end = async () => {
    await using _ = opened;
    await waker.destroy();
    await looking;
  };
  const stop = () => {
    ended ??= end();
    return ended;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

type Look = Pick<SchedulerOptions, 'log' | 'tasks' | 'report'> & {
  db: Db;
  now: Date;
  /** Of which a person has been told: once is enough until one has been decided again. */
  failing?: Set<number>;
};

/** Decides what has come due. One schedule that fails keeps no other from its turn. */
export async function lookOnce({ db, log, now, tasks, report, failing = new Set() }: Look): Promise<void> {
  const options = { now, tasks, by: `${hostname()}:${process.pid}` };
  const limit = pLimit(AT_ONCE);
  const due = await dueSchedules(db, now, DUE_MAX);
  await Promise.all(
    due.map((id) =>
      limit(async () => {
        try {
          const pass = await decideOne(db, id, options);
          failing.delete(id);
          if (pass) log.info({ schedule: id, ...pass }, 'schedule');
        } catch (error) {
          if (isPassing(error)) throw error;
          if (failing.has(id)) return;
          failing.add(id);
          log.error({ schedule: id, err: error }, 'a schedule could not be decided');
          report?.(error, { schedule: String(id) });
        }
      }),
    ),
  );
  await fillBackfills(db, tasks);
}

function decideOne(db: Db, id: number, options: Parameters<typeof decideDue>[2]): Promise<Pass | undefined> {
  return db.transaction(async (tx) => {
    await tx.query("select set_config('lock_timeout', $1, true)", [LOCK_TIMEOUT]);
    const schedule = await lockSchedule(tx, id, { wait: false });
    return schedule && decideDue(tx, schedule, options);
  });
}
