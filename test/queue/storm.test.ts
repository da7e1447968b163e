import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { type Program, runProgram } from '../support/program.ts';
import { inForm } from '../support/property.ts';
import { add, jobsLeft, lockedLanes } from '../support/queue.ts';
import { makeSteps, steps } from '../support/queue_tasks.ts';

const STEPS = 25;
const KILLS = inForm(3, 8);
const JOBS_A_KILL = 6;
const JOBS = KILLS * JOBS_A_KILL;
const LANES = 5;
const DELAY_MS_MAX = 150;

// Two workers, one of them killed again and again at a moment that nobody chose. The driver hears of
// no promise of the workers: it looks at what is in the database when all is over.
test('in a storm of kills every step of every job happens once, and no lane or job is left locked', async () => {
  await using db = await freshDb();
  await makeSteps(db);
  const seed = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
  const random = randomFrom(seed);
  const addJobs = async (from: number) => {
    for (let job = from; job < from + JOBS_A_KILL; job++) {
      const lane = job % 2 ? `lane ${job % LANES}` : undefined;
      await add(db, steps, { label: `job ${job}`, steps: STEPS, lane });
    }
  };
  await using programs = new AsyncDisposableStack();
  const start = async (): Promise<Program> => {
    const program = programs.use(runProgram('queue_worker.ts', [db.url]));
    expect(await program.line()).toBe('ready');
    return program;
  };
  const workers = [await start(), await start()];
  for (let kill = 0; kill < KILLS; kill++) {
    await addJobs(kill * JOBS_A_KILL); // so that there is work to hit, however fast the machine is
    await sleep(random() * DELAY_MS_MAX);
    const [victim] = workers.splice(Math.floor(random() * workers.length), 1);
    victim?.child.kill('SIGKILL');
    workers.push(await start());
  }

  // What crashed without progress rests for seconds; nobody needs to wait for that here.
  await eventually(async () => {
    await db.query('update graphile_worker._private_jobs set run_at = now() where run_at > now()');
    expect(await jobsLeft(db)).toEqual([]);
  });
  const wrong = await db.rows(`
    select label, step, count(c.label) from generate_series(0, ${JOBS - 1}) job
    cross join generate_series(1, ${STEPS}) step
    cross join lateral (select 'job ' || job as label) named
    left join public.counted c using (label, step)
    group by label, step having count(c.label) <> 1`);
  expect(wrong, `seed ${seed}`).toEqual([]);
  expect(await lockedLanes(db)).toEqual([]);
  const crashed = await db.column("select id from ops.job_runs where outcome = 'crashed'");
  expect(crashed.length).toBeGreaterThan(0); // the storm hit somebody
  expect(await db.column("select id from ops.job_runs where outcome = 'running'")).toEqual([]);
});

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
