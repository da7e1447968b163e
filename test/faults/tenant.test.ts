/** A brand that queues thousands of jobs, and another that wants a few done in the midst of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet, type Product } from '../support/faults/fleet.ts';
import { eventsOf, type History, openHistory } from '../support/faults/history.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';
import { A, B } from '../support/turns.ts';

const MANY = 5_000;
const FEW = 50;
const FAIR = 2 * FEW; // one job of each in turns
const DRAIN_MS = 120_000;

const jobsOf = (brandId: string, name: string, jobs: number) =>
  Array.from({ length: jobs }, (_, n) => ({ label: `${name} ${n}`, ms: 0, brandId }));

/** How many jobs have begun, of both brands, from when the few were queued until the last of them. */
async function waitOfTheFew(product: Product, db: TestDb, history: History): Promise<number> {
  await makePayments(db);
  const add = product === 'nightshift' ? addAll : addPlain;
  await using fleet = aFleet({ product, url: db.url, history, concurrency: 8 });
  await add(db, history, payment, jobsOf(A, 'many', MANY));
  await fleet.start();
  await fleet.busy(() => 0);
  await sleep(500);
  await add(db, history, payment, jobsOf(B, 'few', FEW));
  expect(await untilDrained(db, DRAIN_MS)).toBe(0);
  const events = history.read();
  const queuedAt = eventsOf(events, 'acked').at(-1)?.at ?? 0;
  const begun = eventsOf(events, 'begun').filter(({ at }) => at > queuedAt);
  return begun.findLastIndex(({ label }) => label.startsWith('few')) + 1;
}

/** As users of the library do it: in the order of arrival. */
const addPlain: typeof addAll = async (db, history, { name }, payloads) => {
  await db.query(
    'select graphile_worker.add_job($1, payload) from json_array_elements($2) with ordinality as p (payload, n) order by n',
    [name, JSON.stringify(payloads)],
  );
  for (const { label } of payloads) history.add({ what: 'acked', label });
};

for (const product of ['nightshift', 'graphile-worker'] as const)
  fault(
    'noisy tenant',
    async ({ report }) => {
      await using db = await freshDb();
      await using history = await openHistory();
      const waited = await waitOfTheFew(product, db, history);
      const found = await check(db, history);
      const note = `${MANY} jobs of one brand, ${FEW} of another: the last of them is the ${waited}th to begin; fair: ${FAIR}th`;
      report(found, { injected: 1, product, note });
      expectNothingLost(found);
      if (product === 'nightshift') expect(waited).toBeLessThanOrEqual(2 * FAIR);
      else expect(waited).toBeGreaterThan(2 * FAIR); // else it shows nothing
    },
    { short: false },
  );
