import fc from 'fast-check';
import { expect, test } from 'vitest';
import { slotsOf } from '#sql/schedules/expression.ts';
import {
  addSchedule,
  editSchedule,
  type Missed,
  pauseSchedule,
  resumeSchedule,
} from '#workers/scheduler/actions.ts';
import { lookOnce } from '#workers/scheduler/scheduler.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { quiet } from '../support/run.ts';
import { BY, tasks } from '../support/schedules/schedule.ts';

const ZONES = ['UTC', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'];
const EXPRESSIONS = ['0 * * * *', '30 2 * * *', '*/20 1,2 * * *', '15 */3 * * *', '0 2 * * SUN'];
const POLICIES = [
  { catchUp: 'latest', catchUpMax: 1, overlap: 'skip' },
  { catchUp: 'latest', catchUpMax: 1, overlap: 'queue' },
  { catchUp: 'all', catchUpMax: 3, overlap: 'queue' },
  { catchUp: 'skip', catchUpMax: 1, overlap: 'cancel' },
] as const;

/** Time passes before each: minutes as a scheduler sees them, or days of an outage. */
const step: fc.Arbitrary<Step> = fc.record({
  minutes: fc.oneof(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 90, max: 4_000 })),
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: 'look' as const }) },
    {
      weight: 1,
      arbitrary: fc.constant({ kind: 'pause' as const }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('resume' as const),
        missed: fc.constantFrom<Missed>('skip', 'latest', 'all'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('edit' as const),
        expression: fc.constantFrom(...EXPRESSIONS),
        timeZone: fc.constantFrom(...ZONES),
      }),
    },
  ),
});

type Step = { minutes: number; act: Act };
type Act =
  | { kind: 'look' }
  | { kind: 'pause' }
  | { kind: 'resume'; missed: Missed }
  | { kind: 'edit'; expression: string; timeZone: string };
type History = {
  begin: string;
  policy: (typeof POLICIES)[number];
  expression: string;
  timeZone: string;
  steps: Step[];
};

const history: fc.Arbitrary<History> = fc.record({
  begin: fc.constantFrom('2026-03-07T00:10:00Z', '2026-10-31T00:10:00Z', '2026-04-04T00:10:00Z'),
  policy: fc.constantFrom(...POLICIES),
  expression: fc.constantFrom(...EXPRESSIONS),
  timeZone: fc.constantFrom(...ZONES),
  steps: fc.array(step, { minLength: 3, maxLength: 20 }),
});

test('each slot of any history of edits, pauses, outages and resumes has exactly one outcome', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(history, (given) => holds(db, given)),
    25,
  );
});

async function holds(db: TestDb, { begin, policy, expression, timeZone, steps }: History) {
  await db.query('delete from ops.schedules');
  await db.query('delete from graphile_worker._private_jobs');
  let now = new Date(begin);
  const id = await addSchedule(
    db,
    {
      brandId: null,
      connectionId: null,
      name: 'chime',
      task: 'chime',
      payload: {},
      expression,
      timeZone,
      ...policy,
    },
    { by: BY, tasks, now },
  );
  const versions = [{ expression, timeZone, from: now }];
  let isPaused = false;
  for (const { minutes, act } of steps) {
    now = new Date(now.getTime() + minutes * 60_000);
    const actor = { by: BY, tasks, now };
    const looks = () => lookOnce({ db, log: quiet, now, tasks });
    if (act.kind === 'look')
      await Promise.all([looks(), looks()]); // two schedulers
    else if (act.kind === 'edit') {
      await editSchedule(db, id, { expression: act.expression, timeZone: act.timeZone }, actor);
      versions.push({ expression: act.expression, timeZone: act.timeZone, from: now });
    } else if (act.kind === 'pause' && !isPaused) {
      await pauseSchedule(db, id, { reason: 'a test' }, actor);
      isPaused = true;
    } else if (act.kind === 'resume' && isPaused) {
      await resumeSchedule(db, id, act.missed, actor);
      isPaused = false;
    }
  }
  await lookOnce({ db, log: quiet, now, tasks });
  const expected = versions.flatMap((version, index) =>
    slotsOf(version.expression, version.timeZone)
      .between(version.from, versions[index + 1]?.from ?? now, 100_000)
      .map((at) => at.toISOString()),
  );
  const { rows } = await db.query<{ slot: Date; outcome: string; job: string | null }>(
    'select slot, outcome, job_id::text as job from ops.schedule_slots where schedule_id = $1 order by slot',
    [id],
  );
  expect(rows.map(({ slot }) => slot.toISOString())).toEqual(expected);
  for (const { outcome, job } of rows) expect(job !== null).toBe(outcome === 'queued');
  const jobs = rows.flatMap(({ job }) => job ?? []);
  expect(new Set(jobs).size).toBe(jobs.length); // chime has no key: each slot has a job of its own
}
