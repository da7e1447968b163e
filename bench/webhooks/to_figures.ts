/**
 * How long it takes from a delivery to the figures: batches come one after the other while a worker runs, and the sum of a
 * brand says when each of them is counted.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { TEST_KEYS } from '../../test/support/rows/factory.ts';
import type { Figure } from '../support/bench.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';
import { type Batch, batches, connections, disposable, EVENTS, isTaken, start } from './senders.ts';

const CONNECTIONS = 4;
const BATCHES = 120;
const PAUSE_MS = 100;
const LOOK_MS = 20;
const PATIENCE_MS = 60_000;
const PORT = 18_362;

type Delivered = { brandId: string; at: number; total: number };

export async function benchToFigures(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const senders = await connections(db, CONNECTIONS);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const ports = { NIGHTSHIFT_WEB_PORT: String(PORT), NIGHTSHIFT_METRICS_PORT: '0' };
  const bin = join(import.meta.dirname, '../../bin');
  const worker = await start(join(bin, 'worker.ts'), [], env, /worker ready/);
  const web = await start(join(bin, 'web.ts'), [], { ...env, ...ports });
  try {
    await using pool = disposable(new Pool(web.url, { connections: 8 }));
    const all = batches(senders, 5, BATCHES);
    const brands = senders.map(({ brandId }) => brandId);
    const answers: number[] = [];
    const waits: number[] = [];
    const sending = send(pool.pool, all, brands, answers);
    const counting = count(db, sending.delivered, waits);
    await sending.done;
    await counting;
    return [
      { name: 'answer one after the other, p99', value: p99(answers), unit: 'ms' },
      { name: 'from a delivery to bi, median', value: quantile(waits, 0.5), unit: 'ms' },
      { name: 'from a delivery to bi, p99', value: p99(waits), unit: 'ms', bar: { below: 5_000 } },
    ];
  } finally {
    await worker.kill();
    await web.kill();
  }
}

/** `delivered` grows while it sends; `total` is what the brand has with this batch. */
function send(pool: Pool, all: readonly Batch[], brands: readonly string[], answers: number[]) {
  const delivered: Delivered[] = [];
  const run = async () => {
    for (const [n, batch] of all.entries()) {
      const at = performance.now();
      if (!(await isTaken(pool, batch))) throw new Error('a batch was not taken');
      answers.push(performance.now() - at);
      const total = EVENTS * (Math.floor(n / brands.length) + 1);
      delivered.push({ brandId: brands[n % brands.length] ?? '', at, total });
      await sleep(PAUSE_MS);
    }
  };
  return { delivered, done: run() };
}

async function count(db: BenchDb, delivered: readonly Delivered[], waits: number[]): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  const open = new Set<Delivered>();
  let seen = 0;
  while (waits.length < BATCHES) {
    if (performance.now() > until) throw new Error(`${BATCHES - waits.length} batches were never counted`);
    for (const one of delivered.slice(seen)) open.add(one);
    seen = delivered.length;
    const { rows } = await db.query<{ brand_id: string; n: number }>(
      'select brand_id, sum(delivered)::int as n from bi.daily_email group by brand_id',
    );
    const now = performance.now();
    const counted = new Map(rows.map(({ brand_id, n }) => [brand_id, n]));
    for (const one of open) {
      if ((counted.get(one.brandId) ?? 0) < one.total) continue;
      open.delete(one);
      waits.push(now - one.at);
    }
    await sleep(LOOK_MS);
  }
}

const p99 = (all: readonly number[]) => quantile(all, 0.99);

function quantile(all: readonly number[], share: number): number {
  return all.toSorted((one, other) => one - other)[Math.floor(all.length * share)] ?? 0;
}
