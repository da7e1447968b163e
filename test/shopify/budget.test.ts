import { expect, test } from 'vitest';
import { type Budget, makeBudget } from '#connectors/kit/http/rate_limit.ts';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';

// So slow that the time which a busy machine takes between two steps refills next to nothing.
const FIRST = { maximum: 1000, restorePerSecond: 100 };

/** The same account, as two workers see it. */
function twoWorkers(db: TestDb): [Budget, Budget] {
  const worker = () => makeBudget(db, 'shopify', 'acme', FIRST);
  return [worker(), worker()];
}

async function waitOf(budget: Budget, cost: number): Promise<number> {
  const stats = newRequestStats();
  await budget.take(cost, { signal: new AbortController().signal, stats });
  return stats.waitedMs;
}

const available = (db: TestDb) =>
  db.column('select round(available) from ops.rate_budgets').then(([value]) => Number(value));

test('workers share one bucket: what one takes, the other waits for', async () => {
  await using db = await freshDb();
  const [one, other] = twoWorkers(db);
  expect(await waitOf(one, 1000)).toBe(0);
  const waitedMs = await waitOf(other, 100);
  expect(waitedMs).toBeGreaterThan(50);
  expect(waitedMs).toBeLessThanOrEqual(1_000);
});

test('whoever comes later waits behind those who wait already', async () => {
  await using db = await freshDb();
  const [one, other] = twoWorkers(db);
  await waitOf(one, 1000);
  const [first, second] = await Promise.all([waitOf(one, 100), waitOf(other, 100)]);
  expect(Math.abs(first - second)).toBeGreaterThan(100);
});

test('a cost above the whole bucket takes a full one, instead of waiting for ever', async () => {
  await using db = await freshDb();
  const [one] = twoWorkers(db);
  expect(await waitOf(one, 5000)).toBe(0);
  expect(await available(db)).toBe(0);
});

test('what the provider says corrects the bucket downwards, and gives back what was not used', async () => {
  await using db = await freshDb();
  const [one] = twoWorkers(db);
  const plan = { maximum: 1000, restorePerSecond: 0.001 };
  await one.take(300, { signal: new AbortController().signal, stats: newRequestStats() });
  await one.correct({ ...plan, available: 990, reserved: 300, actual: 10 });
  expect(await available(db)).toBe(990);
  await one.take(300, { signal: new AbortController().signal, stats: newRequestStats() });
  // Another app of ours has spent most of it, which only the provider knows.
  await one.correct({ ...plan, available: 40, reserved: 300, actual: 10 });
  expect(await available(db)).toBe(40);
});

test('a request that the provider has yet to see stays taken', async () => {
  await using db = await freshDb();
  const [one, other] = twoWorkers(db);
  const plan = { maximum: 1000, restorePerSecond: 0.001 };
  const persistence = { signal: new AbortController().signal, stats: newRequestStats() };
  await one.take(0, persistence);
  await one.correct({ ...plan, available: 1000, reserved: 0, actual: 0 });
  await one.take(200, persistence);
  await other.take(500, persistence); // on its way
  await one.correct({ ...plan, available: 900, reserved: 200, actual: 100 });
  expect(await available(db)).toBe(400);
});

test('while a bucket is blocked nobody asks, and a long block is left to the queue', async () => {
  await using db = await freshDb();
  const [one, other] = twoWorkers(db);
  await one.block(2_000);
  expect(await waitOf(other, 1)).toBeGreaterThan(100);
  await one.block(3_600_000);
  await expect(waitOf(other, 700)).rejects.toMatchObject({ code: 'NS_RATE_LIMITED', verdict: 'retry' });
  expect(await available(db)).toBeGreaterThanOrEqual(999); // given back
});

test('accounts have buckets of their own', async () => {
  await using db = await freshDb();
  await waitOf(makeBudget(db, 'shopify', 'acme', FIRST), 1000);
  expect(await waitOf(makeBudget(db, 'shopify', 'other', FIRST), 1000)).toBe(0);
});
