/** Workers that are killed with SIGKILL again and again, at moments that nobody chose. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { check } from '../support/faults/checker.ts';
import { supplyOf, untilClaimed, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet, type Product } from '../support/faults/fleet.ts';
import { type History, openHistory } from '../support/faults/history.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';
import { lockedLanes } from '../support/queue.ts';
import { makeSteps, steps } from '../support/queue_tasks.ts';

const JOBS_A_KILL = inForm(30, 250);
const KILLS = inForm(1, 40);
const KILLS_BESIDE = 10; // of the product that we compare with: what it loses, it loses soon
const LANES = 50;
const WORKERS = inForm(1, 3);
const CONCURRENCY = 8;
const BODY_MS = 100;
const [PAUSE_MS_MIN, PAUSE_MS_MAX] = inForm([0, 100], [300, 1_000]);
const IN_HAND_MIN = 2 * WORKERS * CONCURRENCY;
const DRAIN_MS = 60_000;

type Storm = { db: TestDb; history: History; random: () => number; kills: number };

/** Each kill hits somebody, because there is work for all. */
async function storm(product: Product, { db, history, random, kills }: Storm): Promise<void> {
  const ours = product === 'nightshift';
  await makePayments(db);
  await using fleet = aFleet({ product, url: db.url, history, concurrency: CONCURRENCY });
  await Promise.all(Array.from({ length: WORKERS }, fleet.start));
  const work = supplyOf({ db, history }, payment, (n) => ({
    ...{ label: `job ${n}`, ms: BODY_MS },
    ...(ours && n % 4 === 0 ? { lane: `lane ${n % LANES}` } : {}),
  }));
  await work.add(kills * JOBS_A_KILL);
  const replaced: Promise<unknown>[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await sleep(PAUSE_MS_MIN + random() * (PAUSE_MS_MAX - PAUSE_MS_MIN));
    await work.keep(IN_HAND_MIN);
    await fleet.kill(await fleet.busy(random));
    replaced.push(fleet.start());
  }
  await Promise.all(replaced);
  if (!ours) await untilClaimed(db, DRAIN_MS);
  await untilDrained(db, ours ? DRAIN_MS : 5_000, { hurry: ours });
}

fault('kill -9 storm', async ({ random, report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  const injected = KILLS;
  await storm('nightshift', { db, history, random, kills: injected });
  const found = await check(db, history);
  const note = 'a job that crashes again rests, and comes behind those that wait';
  report(found, { injected, note });
  expectNothingLost(found);
  expect(await lockedLanes(db)).toEqual([]);
  expect(found.recoveryMs.length).toBeGreaterThan(0); // the storm hit somebody
});

// What it loses is locked by a worker that is gone: its own sweep comes after four hours. So the driver turns the
// clock of the locks on, and sees what then runs twice.
fault(
  'kill -9 storm',
  async ({ random, report }) => {
    await using db = await freshDb();
    await using history = await openHistory();
    const injected = KILLS_BESIDE;
    await storm('graphile-worker', { db, history, random, kills: injected });
    const atOnce = await check(db, history);
    for (const table of ['jobs', 'job_queues'])
      await db.query(
        `update graphile_worker._private_${table} set locked_at = locked_at - interval '5 hours' where locked_at is not null`,
      );
    await using fleet = aFleet({
      product: 'graphile-worker',
      url: db.url,
      history,
      concurrency: CONCURRENCY,
    });
    await fleet.start();
    await untilDrained(db, DRAIN_MS, { hurry: true });
    const inTheEnd = await check(db, history);
    const note = `${atOnce.locked.length} jobs locked until its sweep 4 h later, after which the doubled ones ran again`;
    report({ ...atOnce, doubled: inTheEnd.doubled }, { injected, product: 'graphile-worker', note });
    expect(inTheEnd.lost).toEqual([]);
  },
  { short: false },
);

const STEPS = 25;

// A job of many transactions goes on where it was: no step is left out, and none happens again.
fault('kill -9 storm in jobs of many steps', async ({ random, report }) => {
  await using db = await freshDb();
  await using history = await openHistory();
  await makePayments(db);
  await makeSteps(db);
  await using fleet = aFleet({ url: db.url, history });
  await Promise.all(Array.from({ length: WORKERS }, fleet.start));
  const work = supplyOf({ db, history }, steps, (n) => ({
    ...{ label: `job ${n}`, steps: STEPS, lane: n % 2 ? `lane ${n % 5}` : undefined },
  }));
  await work.add(inForm(9, 200));
  const injected = inForm(1, 12);
  for (let kill = 0; kill < injected; kill++) {
    await sleep(random() * 300);
    await work.keep(IN_HAND_MIN);
    await fleet.kill(await fleet.busy(random));
    await fleet.start();
  }
  await untilDrained(db, DRAIN_MS, { hurry: true });
  await db.query(
    `insert into public.effects (label) select label from (
       select label, step, count(*) over (partition by label, step) as times from public.counted) counted
     group by label having count(*) = $1 and max(times) = 1 and max(step) = $1`,
    [STEPS],
  );
  const found = await check(db, history);
  report(found, {
    injected,
    note: `${STEPS} transactions each; lost: a job whose steps did not each happen once`,
  });
  expectNothingLost(found);
});
