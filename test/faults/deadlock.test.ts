/** Jobs that update the same rows, each in an order of its own, so that they meet in deadlocks. */
import { expect } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { ACCOUNTS, entangled, makeAccounts, makePayments } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const JOBS = inForm(40, 400);
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
  const [injected] = await db.column("select count(*)::int from ops.job_runs where error_code = '40P01'");
  report(found, { injected: Number(injected), note: 'no deadlock spent an attempt' });
  expectNothingLost(found);
  expect(injected).toBeGreaterThan(0);
  expect(await db.column('select sum(balance)::int from public.accounts')).toEqual([ACCOUNTS * 1_000]);
  expect(await db.column('select max(attempt) from ops.job_runs')).toEqual([1]);
});
