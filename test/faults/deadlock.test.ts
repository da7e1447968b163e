/** Jobs that update the same rows, each in an order of its own, so that they meet in deadlocks. */
import { expect } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { ACCOUNTS, entangled, makeAccounts, makePayments } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const JOBS = inForm(40, 400);
const FREE_CONFLICTS = 5;
const DRAIN_MS = 180_000;

fault('deadlock storm', async ({ random, report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  await makePayments(db);
  await makeAccounts(db);
  await db.query(`alter database ${db.name} set deadlock_timeout = '50ms'`);
  await using fleet = aFleet({ url: db.url, history, concurrency: 8 });
  await fleet.start();
  const accounts = Array.from({ length: ACCOUNTS }, (_, n) => n + 1);
  const payloads = Array.from({ length: JOBS }, (_, n) => {
    const order = accounts.map((id) => ({ id, at: random() })).sort((a, b) => a.at - b.at);
    return { label: `job ${n}`, order: order.map(({ id }) => id) };
  });
  await addAll(db, history, entangled, payloads);
  expect(await untilDrained(db, DRAIN_MS, { hurry: true })).toBe(0);
  const found = await check(db, history);
  const { conflicts, spent, wrong } = await attemptsByRule(db);
  report(found, { injected: conflicts, note: `${spent} of them the sixth or a later one in a row of a job` });
  expectNothingLost(found);
  expect(conflicts).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
  expect(await db.column('select id from graphile_worker._private_jobs')).toEqual([]); // none is dead
  expect(await db.column('select sum(balance)::int from public.accounts')).toEqual([ACCOUNTS * 1_000]);
});

/** Five conflicts in a row are free, and each further one spends an attempt: runs whose attempt is another one. */
async function attemptsByRule(db: TestDb) {
  const runs = await db.rows<{ job: string; attempt: number; conflict: boolean }>(
    `select job_id::text as job, attempt, coalesce(error_code = '40P01', false) as conflict
     from ops.job_runs order by id`,
  );
  const jobs = new Map<string, { inARow: number; spent: number }>();
  const wrong: typeof runs = [];
  for (const run of runs) {
    const { inARow, spent } = jobs.get(run.job) ?? { inARow: 0, spent: 0 };
    if (run.attempt !== spent + 1) wrong.push(run);
    const met = run.conflict ? inARow + 1 : 0;
    jobs.set(run.job, { inARow: met, spent: met > FREE_CONFLICTS ? spent + 1 : spent });
  }
  const spent = [...jobs.values()].reduce((sum, job) => sum + job.spent, 0);
  return { conflicts: runs.filter(({ conflict }) => conflict).length, spent, wrong };
}
