/**
 * A scheduler: looks each second which schedules have a slot to decide. What comes due, and what becomes of it,
 * PostgreSQL says, so any number of schedulers may run, none need run on, and what came due while none did is
 * decided by the first that is back.
 */
import { hostname } from 'node:os';
import pLimit from 'p-limit';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { type Db, openDb, type Tx } from '#sql/db/pool.ts';
import { runningBackfills } from '#sql/schedules/backfills.ts';
import { askewSchedules, databaseTime, dueSchedules, lockSchedule } from '#sql/schedules/schedules.ts';
import { tellBreakers } from '#tasks/alerts/breaker_alerts.ts';
import { deliverAlert } from '#tasks/alerts/deliver_alert.ts';
import { nightly } from '#tasks/nightly.ts';
import type { Task } from '#tasks/task.ts';
import { fillBackfill } from './backfill.ts';
import { guardClock } from './clock.ts';
import { addMissingDefaults } from './defaults.ts';
import { askingFirst } from './fire.ts';
import { advanceNight, dueNights } from './nights.ts';
import { decideDue } from './pass.ts';
import { pinger } from './ping.ts';
import { wake } from './waker.ts';

export type SchedulerOptions = {
  url: string;
  log: Log;
  tasks: readonly Task[];
  /** Hears of an error that keeps something from being done. */
  report?: (error: unknown, tags: Record<string, string>) => void;
  /** An outside watch is told here that it looks. */
  ping?: string | undefined;
  /** The instant it is, by the database when left out. For tests and the demo. */
  clock?: (db: Db) => Promise<Date>;
};

export type Scheduler = AsyncDisposable & { stop(): Promise<void> };

const AT_ONCE = 4;
/** In one look, the most late first; the next look takes the others. */
const DUE_MAX = 1_000;
/** A row that somebody holds is waited for this long; then the next look tries. */
const LOCK_TIMEOUT = '2s';
/** Commands give a brand or a connection its schedules at once; this is for what came another way. */
const TIDY_EVERY_MS = 60_000;

/** Starts looking; leaving the scope ends it, after what is under way. */
export async function startScheduler({ url, log, ...options }: SchedulerOptions): Promise<Scheduler> {
  await using opening = new AsyncDisposableStack();
  const db = opening.use(
    openDb(impatient(url), { applicationName: 'nightshift scheduler', max: AT_ONCE + 1 }),
  );
  await assertSchema(db);
  const opened = opening.move();
  const guard = guardClock();
  const stopping = new AbortController();
  const troubles = trackTroubles(log, options.report);
  const watch = pinger(options.ping, log);
  let isInDoubt = false;
  let tidyAt = 0;
  let isTidy = false;
  const look = async () => {
    const now = await (options.clock ?? databaseTime)(db);
    const isBelieved = options.clock !== undefined || guard.believes(now);
    if (!isBelieved && !isInDoubt)
      log.warn({ now }, 'the clock of the database jumped ahead; nothing fires until it has lasted');
    isInDoubt = !isBelieved;
    if (!isBelieved) return;
    const given = { db, log, now, tasks: options.tasks, troubles, stop: stopping.signal };
    if (performance.now() >= tidyAt) {
      tidyAt = performance.now() + TIDY_EVERY_MS;
      isTidy = false;
      await tidy(given);
      isTidy = troubles.takeCount() === 0;
    }
    await lookOnce(given);
    if (troubles.takeCount() === 0 && isTidy) watch.kept();
  };
  const waker = wake(
    () =>
      look().catch((error) => {
        log.warn({ reason: messageOf(error) }, 'the schedules could not be looked at'); // the next second may
      }),
    log,
  );
  let ended: Promise<void> | undefined;
  const end = async () => {
    await using _ = opened;
    stopping.abort();
    await waker.stop();
    await watch.stop();
  };
  const stop = () => {
    ended ??= end();
    return ended;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

function impatient(url: string): string {
  const address = new URL(url);
  const given = address.searchParams.get('options') ?? '';
  address.searchParams.set('options', `${given} -c lock_timeout=${LOCK_TIMEOUT}`.trim());
  return address.href;
}

export type Look = Pick<SchedulerOptions, 'log' | 'tasks'> & {
  db: Db;
  now: Date;
  /** Without them the first error is thrown. */
  troubles?: Troubles;
  stop?: AbortSignal;
};

/** Decides what has come due. What fails, or has to wait, keeps nothing else from its turn. */
export async function lookOnce(look: Look): Promise<void> {
  const { db, now, tasks } = look;
  const limit = pLimit(AT_ONCE);
  const due = inTurns(await dueSchedules(db, now, DUE_MAX));
  await Promise.all(due.map((id) => limit(() => apart(look, `schedule ${id}`, () => decideOne(look, id)))));
  for (const id of await runningBackfills(db))
    await apart(look, `backfill ${id}`, () => db.transaction((tx) => fillBackfill(tx, id, tasks)));
  if (!tasks.includes(nightly)) return;
  for (const night of await dueNights(db, now))
    await apart(look, `night of ${night.brandId}`, () => advanceNight(db, night));
}

/** From another place on in each look, so that schedulers do not meet at each row. */
function inTurns(ids: readonly number[]): number[] {
  const start = Math.floor(Math.random() * ids.length);
  return [...ids.slice(start), ...ids.slice(0, start)];
}

/** What no slot brings to light: schedules that are missing or go by another zone or clock than they should, and breakers. */
async function tidy(look: Look): Promise<void> {
  const { db, now, tasks } = look;
  await apart(look, 'default schedules', () => addMissingDefaults(db, tasks));
  for (const id of await askewSchedules(db, now, DUE_MAX))
    await apart(look, `schedule ${id}`, () => decideOne(look, id));
  if (tasks.includes(deliverAlert)) await apart(look, 'alerts of breakers', () => tellBreakers(db, now));
}

async function decideOne({ db, log, now, tasks }: Look, id: number): Promise<void> {
  const options = { now, tasks, by: `${hostname()}:${process.pid}` };
  const decideDueOf = async (tx: Tx) => {
    const schedule = await lockSchedule(tx, id, { wait: false });
    return schedule && decideDue(tx, schedule, options);
  };
  const pass = await askingFirst(db, () => db.transaction(decideDueOf));
  if (pass && pass.fired + pass.failed + pass.skipped > 0) log.info({ schedule: id, ...pass }, 'schedule');
}

async function apart({ stop, troubles }: Look, what: string, work: () => Promise<unknown>): Promise<void> {
  if (stop?.aborted) return;
  try {
    await work();
    troubles?.over(what);
  } catch (error) {
    if (troubles === undefined) throw error;
    troubles.has(what, error);
  }
}

/** Who could not be served. It is told once, when it has lasted for so many looks, and again after it was served. */
const LOOKS_UNTIL_TOLD = 10;

export type Troubles = {
  has(what: string, error: unknown): void;
  over(what: string): void;
  /** How many could not be served since it was asked last. */
  takeCount(): number;
};

export function trackTroubles(log: Log, report: SchedulerOptions['report']): Troubles {
  const looks = new Map<string, number>();
  let count = 0;
  return {
    takeCount() {
      const taken = count;
      count = 0;
      return taken;
    },
    has(what, error) {
      count++;
      const times = (looks.get(what) ?? 0) + 1;
      looks.set(what, times);
      log.debug({ what, reason: messageOf(error) }, 'could not be served in this look');
      if (times !== LOOKS_UNTIL_TOLD) return;
      log.error({ what, err: error }, 'could not be served for a while');
      report?.(error, { what });
    },
    over: (what) => void looks.delete(what),
  };
}
