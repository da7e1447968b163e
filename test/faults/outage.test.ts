/** PostgreSQL ends as if its machine had lost its power, and comes back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type OwnPostgres, ownPostgres } from '../support/db/own_postgres.ts';
import { check } from '../support/faults/checker.ts';
import { addAll, untilClaimed, untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet, type Product } from '../support/faults/fleet.ts';
import { type History, openHistory } from '../support/faults/history.ts';
import { makePayments, payment } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const OUTAGES_SECONDS = inForm([1], [1, 3, 10, 30]);
const BETWEEN_MS = inForm(200, 2_000);
const WORKERS = inForm(1, 2);
const JOBS_A_BATCH = inForm(4, 10);
const ASK_EVERY_MS = inForm(100, 100);
const DRAIN_MS = 90_000;

/** Work comes all the time; what is asked for while the server is away is not acknowledged, and not lost. */
async function storm(product: Product, { db, ...server }: OwnPostgres, history: History): Promise<void> {
  await makePayments(db);
  await using fleet = aFleet({ product, url: db.url, history, concurrency: 8 });
  await fleet.keep(WORKERS);
  const over = new AbortController();
  const asking = askAlways(over.signal, db, history);
  for (const seconds of OUTAGES_SECONDS) {
    await fleet.busy(() => 0);
    await sleep(BETWEEN_MS);
    history.add({ what: 'fault', kind: 'immediate stop' });
    await server.stop('immediate');
    await sleep(seconds * 1_000);
    await server.start();
    history.add({ what: 'healed', kind: 'immediate stop' });
    await sleep(1_000);
    await fleet.keep(WORKERS);
  }
  await sleep(BETWEEN_MS);
  over.abort();
  await asking;
  const ours = product === 'nightshift';
  if (!ours) await untilClaimed(db, DRAIN_MS);
  await untilDrained(db, ours ? DRAIN_MS : 5_000, { hurry: true });
}

async function askAlways(over: AbortSignal, db: OwnPostgres['db'], history: History): Promise<void> {
  for (let batch = 0; !over.aborted; batch++) {
    const payloads = Array.from({ length: JOBS_A_BATCH }, (_, n) => ({ label: `${batch}:${n}`, ms: 100 }));
    await addAll(db, history, payment, payloads).catch(() => {});
    await sleep(ASK_EVERY_MS);
  }
}

fault('PostgreSQL stops at once', async ({ report }) => {
  await using postgres = await ownPostgres();
  await using history = await openHistory();
  await storm('nightshift', postgres, history);
  const found = await check(postgres.db, history);
  const note = `away for ${OUTAGES_SECONDS.join(', ')} s; recovery: from its start to the first job that begins`;
  report(found, { injected: OUTAGES_SECONDS.length, note });
  expectNothingLost(found);
  const ends = history.read().filter(({ what }) => what === 'ended');
  expect(ends.filter((event) => 'how' in event && event.how !== 'SIGKILL')).toEqual([]); // no worker gave up
});

fault(
  'PostgreSQL stops at once',
  async ({ report }) => {
    await using postgres = await ownPostgres();
    await using history = await openHistory();
    await storm('graphile-worker', postgres, history);
    const found = await check(postgres.db, history);
    const ended = history.read().filter((event) => event.what === 'ended' && event.how !== 'SIGKILL').length;
    const note = `${found.locked.length} jobs locked in the end; ${ended} workers ended and were started again`;
    report(found, { injected: OUTAGES_SECONDS.length, product: 'graphile-worker', note });
  },
  { short: false },
);
