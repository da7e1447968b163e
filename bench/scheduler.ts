/**
 * Ten thousand schedules that all come due at the same minute, decided by two schedulers: how many slots a second, how
 * late the last ones are, and what a scheduler costs while nothing is due. The slots are of a minute that has passed
 * as the schedulers start, so lateness is counted from their first look.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { makeLog } from '../runtime/log.ts';
import { defineTask } from '../tasks/task.ts';
import { type Scheduler, startScheduler } from '../workers/scheduler/scheduler.ts';
import type { Figure } from './support/bench.ts';
import { quantile } from './support/measure.ts';
import { sessionsClock } from './support/processor.ts';
import type { BenchDb, BenchServer } from './support/server.ts';

const SCHEDULES = 10_000;
const POLL_MS = 100;
const DECIDE_MS_MAX = 3 * 60_000;
const IDLE_SECONDS = 20;

const chime = defineTask({
  name: 'chime',
  payload: z.strictObject({}),
  attempts: 1,
  timeoutSeconds: 10,
  run: async () => ({}),
});

export async function benchScheduler(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await addSchedules(db);
  const clock = await sessionsClock(db);
  await using schedulers = new AsyncDisposableStack();
  for (let n = 0; n < 2; n++) schedulers.use(await start(db));
  await untilDecided(db);
  await clock.look();
  const databaseMs = (clock.seconds() * 1_000) / SCHEDULES;
  const { rows } = await db.query<{ late: number }>(
    `select extract(epoch from decided_at - min(decided_at) over ())::float8 as late from ops.schedule_slots
     where outcome = 'queued' order by late`,
  );
  const late = rows.map((row) => row.late);
  const idle = await idleShare(db);
  return [
    { name: 'slots decided, each with its job', value: SCHEDULES / quantile(late, 1), unit: 'slots/s' },
    {
      name: 'from the first to the last of 10,000 due at once, p99',
      value: quantile(late, 0.99),
      unit: 's',
      bar: { below: 60 },
    },
    { name: "processor time of PostgreSQL's sessions", value: databaseMs, unit: 'ms per slot' },
    {
      name: "two idle schedulers, processor time of PostgreSQL's sessions",
      value: idle,
      unit: '% of a core',
    },
  ];
}

function start(db: BenchDb): Promise<Scheduler> {
  return startScheduler({ url: db.url, log: makeLog('warn', 'bench'), tasks: [chime] });
}

/** Each fires once a day, at the minute before now: the next slot is a day away. */
async function addSchedules(db: BenchDb): Promise<void> {
  const expression = `to_char(now() at time zone 'UTC' - interval '1 minute', 'FMMI FMHH24') || ' * * *'`;
  await db.query(
    `with added as (
       insert into ops.schedules (name, task, expression, time_zone, overlap, decided_to, next_slot)
       select 'n' || n, 'chime', ${expression}, 'UTC', 'queue', now() - interval '3 minutes',
              date_trunc('minute', now()) - interval '1 minute'
       from generate_series(1, $1::int) n returning *)
     insert into ops.schedule_versions (schedule_id, version, expression, time_zone, begins_at, changed_by)
     select id, version, expression, time_zone, decided_to, 'bench' from added`,
    [SCHEDULES],
  );
  await db.query('analyze ops.schedules');
}

async function untilDecided(db: BenchDb): Promise<void> {
  for (let waited = 0; waited < DECIDE_MS_MAX; waited += POLL_MS) {
    const { rows } = await db.query('select from ops.schedules where next_slot <= now() limit 1');
    if (rows.length === 0) return;
    await sleep(POLL_MS);
  }
  throw new Error('The schedulers did not decide all slots in time.');
}

/** Percent of one core. */
async function idleShare(db: BenchDb): Promise<number> {
  const clock = await sessionsClock(db);
  await sleep(IDLE_SECONDS * 1_000);
  await clock.look();
  return (clock.seconds() / IDLE_SECONDS) * 100;
}
