/** A provider in all kinds of trouble, and a worker that is killed meanwhile: what is stored is what the provider has. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aRealWorker } from '../support/money/worker.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT, charge, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const ROUNDS = 3;
const COUNT = 400;
const TROUBLE_MS_MAX = 1_000;
const DRAIN_MS = 120_000;
const STREAMS = ['charges', 'customers'];

const created = (n: number) => NOW_SECONDS - 86_400 + n * 60;
const FILES = {
  charges: Array.from({ length: COUNT }, (_, n) =>
    charge(`ch_${n}`, { created: created(n), amount: 100 + n }),
  ),
  customers: Array.from({ length: COUNT }, (_, n) => ({ id: `cus_${n}`, created: created(n) })),
};
const often = { on: 'stripe', count: 0, probability: 0.15 };
const STRUCK_MIN = 4; // in a round, before the kill
const TROUBLES = [
  { kind: 'status', status: 429, ...often },
  { kind: 'status', status: 500, ...often },
  { kind: 'reset', ...often },
  { kind: 'cut', bytes: 900, ...often },
  { kind: 'repeat_page', account: ACCOUNT, count: 0, probability: 0.1 },
  { kind: 'reorder_page', account: ACCOUNT, count: 0, probability: 0.1 },
];

fault(
  'provider in trouble',
  async ({ random, report }) => {
    await using db = await freshDb();
    await using calm = await anAccountOf(db, FILES);
    let struck = 0;
    const brands: { brandId: string; connectionId: string }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { brandId, connectionId } = await connectStripe(db, calm.sandbox);
      brands.push({ brandId, connectionId });
      await setFaults(calm.sandbox, ...TROUBLES);
      for (const stream of STREAMS) {
        const payload = { brandId, connectionId, stream: `stripe.${stream}`, now: NOW };
        await db.transaction((tx) => enqueue(tx, syncStream, payload));
      }
      const worker = aRealWorker(db);
      await eventually(async () => expect(await calm.struck()).toBeGreaterThanOrEqual(struck + STRUCK_MIN));
      await sleep(random() * TROUBLE_MS_MAX);
      await worker.kill();
      struck = await calm.struck();
    }
    await setFaults(calm.sandbox);
    await using _ = aRealWorker(db);
    expect(await untilDrained(db, DRAIN_MS, { hurry: true })).toBe(0);
    const lost: string[] = [];
    const doubled: string[] = [];
    for (const { brandId, connectionId } of brands) {
      for (const stream of STREAMS) {
        const amount = stream === 'charges' ? 'amount::text' : 'null';
        const rows = await db.rows<{ id: string; amount: string | null }>(
          `select id, ${amount} as amount from raw.stripe_${stream} where brand_id = $1 and connection_id = $2`,
          [brandId, connectionId],
        );
        const stored = new Map(rows.map((row) => [row.id, row.amount]));
        if (rows.length > COUNT) doubled.push(`${stream} of ${brandId}`);
        for (let n = 0; n < COUNT; n++) {
          const id = `${stream === 'charges' ? 'ch' : 'cus'}_${n}`;
          if (!stored.has(id)) lost.push(id);
        }
        if (stream === 'charges')
          expect([...stored.values()].map(Number).sort((a, b) => a - b)).toEqual(
            FILES.charges.map((_, n) => (100 + n) / 100),
          );
      }
    }
    const found = {
      jobs: ROUNDS * COUNT * STREAMS.length,
      lost,
      doubled,
      locked: [],
      refusals: 0,
      recoveryMs: [],
    };
    report(found, { injected: struck, note: `answers that a fault struck; ${ROUNDS} kills; jobs: objects` });
    expectNothingLost(found);
  },
  { short: false },
);
