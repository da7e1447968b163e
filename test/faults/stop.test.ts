/** A deployment that never ends: workers are told to stop, one after the other, and killed if they take too long. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { check } from '../support/faults/checker.ts';
import { supplyOf, untilClaimed, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet, type Product } from '../support/faults/fleet.ts';
import { eventsOf, type History, openHistory } from '../support/faults/history.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const STOPS = inForm(1, 8);
const WORKERS = inForm(1, 2);
const JOBS = inForm(12, 150);
const BODY_MS_MAX = inForm(400, 6_000); // longer than a stop waits
const DRAIN_SECONDS = inForm(0, 2);
const GRACE_MS = inForm(120_000, 10_000); // in the short form the machine may be slow, and nobody is killed
const BETWEEN_MS = inForm(100, 2_000);
const IN_HAND_MIN = 16;
const DRAIN_MS = 90_000;

async function storm(product: Product, db: TestDb, history: History, random: () => number): Promise<void> {
  await makePayments(db);
  await using fleet = aFleet({ product, url: db.url, history, drainSeconds: DRAIN_SECONDS });
  await fleet.keep(WORKERS);
  const work = supplyOf({ db, history }, payment, (n) => ({
    ...{ label: `job ${n}`, ms: Math.round(random() ** 2 * BODY_MS_MAX) },
  }));
  await work.add(JOBS);
  for (let stop = 0; stop < STOPS; stop++) {
    await sleep(BETWEEN_MS);
    await work.keep(IN_HAND_MIN);
    const heir = fleet.start(); // a platform starts the new one first
    await fleet.stop(await fleet.busy(random), GRACE_MS);
    await heir;
  }
  const ours = product === 'nightshift';
  if (!ours) await untilClaimed(db, DRAIN_MS);
  await untilDrained(db, ours ? DRAIN_MS : 2 * BODY_MS_MAX, { hurry: ours });
}

fault('stop storm', async ({ random, report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  await storm('nightshift', db, history, random);
  const found = await check(db, history);
  const ends = eventsOf(history.read(), 'ended').map(({ how }) => how);
  const clean = ends.filter((how) => how === 0).length;
  report(found, { injected: STOPS, note: `${clean} of ${STOPS} stops ended with 0 and nothing in hand` });
  expectNothingLost(found);
  expect(clean).toBe(STOPS);
  // A stop costs no attempt.
  expect(await db.column('select max(attempt) from ops.job_runs')).toEqual([1]);
});

fault(
  'stop storm',
  async ({ random, report }) => {
    await using db = await freshDb();
    await using history = await openHistory();
    await storm('graphile-worker', db, history, random);
    const found = await check(db, history);
    const note = `${found.locked.length} jobs locked in the end`;
    report(found, { injected: STOPS, product: 'graphile-worker', note });
  },
  { short: false },
);
