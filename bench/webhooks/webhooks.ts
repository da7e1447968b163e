/**
 * Signed batches of mail events from several connections: how many are accepted for good in a second, beside a bare
 * handler that does one insert per batch; how long an answer takes; whether anything is lost when the process is killed
 * on its way; and how long it takes from a delivery to its figures.
 */
import { join } from 'node:path';
import { Pool } from 'undici';
import { TEST_KEYS } from '../../test/support/rows/factory.ts';
import type { Figure } from '../support/bench.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';
import { type Batch, batches, connections, disposable, EVENTS, isTaken, start } from './senders.ts';
import { benchToFigures } from './to_figures.ts';

const CONNECTIONS = 4;
const SENDERS = 32;
const BATCHES = 1_200;
const ROUNDS = 3;
const PORT = 18_360;

type Sent = { seconds: number; p99: number };

export async function benchWebhooks(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await db.query(
    'create table public.batches (id bigint generated always as identity primary key, body bytea not null)',
  );
  const senders = await connections(db, CONNECTIONS);
  const bare = await start(join(import.meta.dirname, 'bare.ts'), [db.url], {});
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const ports = { NIGHTSHIFT_WEB_PORT: String(PORT), NIGHTSHIFT_METRICS_PORT: '0' };
  const begin = () => start(join(import.meta.dirname, '../../bin/web.ts'), [], { ...env, ...ports });
  let web = await begin();
  for (const { url } of [bare, web]) await deliver(url, batches(senders, 0, BATCHES));
  const plain: Sent[] = [];
  const ours: Sent[] = [];
  // In turns, because the machine does other work as well.
  for (let round = 1; round <= ROUNDS; round++) {
    plain.push(await deliver(bare.url, batches(senders, round, BATCHES)));
    ours.push(await deliver(web.url, batches(senders, round, BATCHES)));
  }
  await bare.kill();
  const before = await stored(db);
  const killed = deliver(web.url, batches(senders, ROUNDS + 1, BATCHES), async () => {
    await web.kill();
    web = await begin();
  });
  await killed;
  const lost = BATCHES - ((await stored(db)) - before);
  await web.kill();
  const events = BATCHES * EVENTS;
  const ratios = plain.map(({ seconds }, round) => seconds / (ours[round]?.seconds ?? Number.NaN));
  const middle = (all: readonly number[]) =>
    all.toSorted((one, other) => one - other)[Math.floor(all.length / 2)] ?? 0;
  return [
    {
      name: 'accepted for good',
      value: events / middle(ours.map(({ seconds }) => seconds)),
      unit: 'events/s',
      bar: { atLeast: 5_000 },
    },
    { name: 'beside a bare handler', value: middle(ratios), unit: 'x', bar: { atLeast: 0.7 } },
    { name: 'answer, p99', value: middle(ours.map(({ p99 }) => p99)), unit: 'ms' },
    { name: 'answer of the bare handler, p99', value: middle(plain.map(({ p99 }) => p99)), unit: 'ms' },
    { name: 'batches lost when it is killed', value: lost, unit: 'batches', bar: { below: 1 } },
    ...(await benchToFigures(server)),
  ];
}

/** As a provider does it: what is not answered with 200 is sent again. `midway` is called once half is answered. */
async function deliver(url: string, all: readonly Batch[], midway?: () => Promise<void>): Promise<Sent> {
  await using pool = disposable(new Pool(url, { connections: SENDERS }));
  const waits: number[] = [];
  const queue = [...all];
  let disturbed: Promise<void> | undefined;
  const begunAt = performance.now();
  const sender = async () => {
    for (let batch = queue.pop(); batch !== undefined; batch = queue.pop()) {
      const at = performance.now();
      while (!(await isTaken(pool.pool, batch))) await disturbed;
      waits.push(performance.now() - at);
      if (midway && waits.length >= all.length / 2) disturbed ??= midway();
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  await disturbed;
  const seconds = (performance.now() - begunAt) / 1000;
  return { seconds, p99: waits.sort((one, other) => one - other)[Math.floor(waits.length * 0.99)] ?? 0 };
}

async function stored(db: BenchDb): Promise<number> {
  const { rows } = await db.query<{ n: number }>('select count(*) as n from ops.webhook_deliveries');
  return rows[0]?.n ?? 0;
}
