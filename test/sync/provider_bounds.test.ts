/** No number, time or size that a provider names is taken without a limit. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { makeHttp, retryAfterMs } from '#connectors/kit/http/http.ts';
import { makeBudget } from '#connectors/kit/http/rate_limit.ts';
import { newRequestStats, RETRY_AFTER_MS_MAX, withRetry } from '#connectors/kit/http/retry.ts';
import { costOf } from '#connectors/shopify/api/answers.ts';
import { openShopify } from '#connectors/shopify/api/client.ts';
import { shopQuery } from '#connectors/shopify/api/queries.ts';
import { makePace } from '#connectors/stripe/api/rate_limit.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Answer, fakeProvider, json, status } from '../support/providers/provider.ts';
import { aConnection, testKeyring, testSealer } from '../support/rows/factory.ts';

const DAY_MS = 24 * 60 * 60_000;
const anything = z.record(z.string(), z.unknown());

/** Seconds for which nobody asks the account any more. */
const blockedSeconds = (db: TestDb) =>
  db.column(`select extract(epoch from greatest(blocked_until, seen_at) - clock_timestamp())::float8
             from ops.rate_budgets order by account`);

async function askShop(db: TestDb, ...answers: Answer[]) {
  await using provider = await fakeProvider(...answers);
  const { brandId, id } = await aConnection(db, { baseUrl: provider.url });
  const connection = await openConnection(db, { brandId, connectionId: id }, testKeyring);
  const shopify = openShopify({
    ...{ connection, db, sealer: testSealer, stats: newRequestStats(), warn: () => {} },
    signal: new AbortController().signal,
  });
  return await shopify.ask(shopQuery, {}, anything).catch((error: Error) => error);
}

test.each(['1e12', '1e300', '999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
  'a Retry-After of %s is a day',
  (value) => expect(retryAfterMs(value, Date.parse('2026-11-20T06:00:00Z'))).toBe(RETRY_AFTER_MS_MAX),
);

test.each(['-5', '1e999', 'Infinity', 'NaN', '٣'])(
  'a Retry-After of %s is none, or none to wait',
  (value) => {
    expect(retryAfterMs(value) ?? 0).toBe(0);
  },
);

test('a Retry-After of 31,000 years is told as a day, and blocks the account of a shop no longer', async () => {
  await using db = await freshDb();
  const refusal = await askShop(db, status(429, { 'retry-after': '1e12' }));
  expect(refusal).toMatchObject({ code: 'NS_RATE_LIMITED', retryAfterMs: DAY_MS });
  expect(Math.max(...((await blockedSeconds(db)) as number[]))).toBeLessThanOrEqual(DAY_MS / 1000);
});

test('nor does it block an account of Stripe', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db, {
    provider: 'stripe',
    account: 'acct_1',
    auth: 'key',
  });
  const pace = makePace(db, { brandId, connectionId, account: 'acct_1', livemode: true });
  await pace.take('/v1/charges', { signal: new AbortController().signal, stats: newRequestStats() });
  await pace.block(1e15);
  expect(Math.max(...((await blockedSeconds(db)) as number[]))).toBeLessThanOrEqual(DAY_MS / 1000);
});

test('nor does a 503 keep a job away for longer', async () => {
  await using provider = await fakeProvider(status(503, { 'retry-after': '1e12' }));
  const http = makeHttp({
    ...{ provider: 'Shopify', account: 'acme', stats: newRequestStats() },
    signal: new AbortController().signal,
  });
  await expect(
    withRetry(() => http.once({ secrets: [], method: 'GET', url: provider.url }), http),
  ).rejects.toMatchObject({
    code: 'NS_PROVIDER_UNAVAILABLE',
    retryAfterMs: DAY_MS,
  });
});

const usual = { requested: 10, actual: 4, maximum: 2000, available: 1990, rate: 100 };

function costBody({ requested, actual, maximum, available, rate }: Record<keyof typeof usual, unknown>) {
  const throttleStatus = { maximumAvailable: maximum, currentlyAvailable: available, restoreRate: rate };
  return { extensions: { cost: { requestedQueryCost: requested, actualQueryCost: actual, throttleStatus } } };
}

test('figures of a cost bucket are kept within what a bucket can be', () => {
  expect(costOf(costBody(usual))).toEqual({
    ...{ requested: 10, actual: 4, maximum: 2000, available: 1990, restorePerSecond: 100 },
  });
  expect(costOf(costBody({ ...usual, actual: 1e300 }))).toMatchObject({ actual: 2000 });
  expect(costOf(costBody({ ...usual, actual: -1e300 }))).toMatchObject({ actual: 0 });
  expect(costOf(costBody({ ...usual, requested: -7 }))).toMatchObject({ requested: 0 });
  expect(costOf(costBody({ ...usual, requested: 1e300 }))).toMatchObject({ requested: 2000 });
  expect(costOf(costBody({ ...usual, available: -1e300 }))).toMatchObject({ available: -2000 });
  expect(costOf(costBody({ ...usual, available: 1e300 }))).toMatchObject({ available: 2000 });
});

test.each([
  { maximum: 0 },
  { maximum: -5 },
  { maximum: 1e300 },
  { rate: 0 },
  { rate: 1e-9 },
  { rate: 1e300 },
  { maximum: null },
  { rate: '' },
  { available: 'many' },
  { requested: [] },
])('a bucket of %o is not believed', (odd) => expect(costOf(costBody({ ...usual, ...odd }))).toBeUndefined());

// The bucket is shared by all workers and outlives the job: what one odd answer says must not stop the rest.
test('whatever figures an answer gives, the bucket is full again within an hour', async () => {
  await using db = await freshDb();
  const budget = makeBudget(db, 'shopify', 'acme', { maximum: 2000, restorePerSecond: 100 });
  await budget.take(1, { signal: new AbortController().signal, stats: newRequestStats() });
  for (const key of Object.keys(usual)) {
    for (const value of [1e300, -1e300, 1e-300, 0, -1, null, 'x']) {
      const { requested = 10, ...cost } = costOf(costBody({ ...usual, [key]: value })) ?? {};
      if (!('maximum' in cost)) continue;
      await budget.correct({ ...cost, actual: cost.actual ?? 0, reserved: requested });
      const longest = 'select ((maximum - available) / restore_per_second)::float8 from ops.rate_budgets';
      expect((await db.column(longest))[0], `${key} ${value}`).toBeLessThanOrEqual(3600);
    }
  }
});

test('a token is believed to live for a day at most', async () => {
  await using db = await freshDb();
  const secret = JSON.stringify({ client_id: 'app', client_secret: 'hush' });
  await using provider = await fakeProvider(
    json({ access_token: 'one', expires_in: 1e300 }),
    json({ data: { shop: {} } }),
  );
  const { brandId, id } = await aConnection(db, {
    baseUrl: provider.url,
    auth: 'client_credentials',
    secret,
  });
  const connection = await openConnection(db, { brandId, connectionId: id }, testKeyring);
  const shopify = openShopify({
    ...{ connection, db, sealer: testSealer, stats: newRequestStats(), warn: () => {} },
    signal: new AbortController().signal,
  });
  await shopify.ask(shopQuery, {}, anything);
  const within = "select token_expires_at <= clock_timestamp() + interval '1 day' from app.connections";
  expect(await db.column(within)).toEqual([true]);
});

test('an operator can take a block back, of all brands that read the account, and it is audited', async () => {
  await using db = await freshDb();
  const account = 'acme-uk.myshopify.com';
  const { brandId, id } = await aConnection(db, { account });
  await aConnection(db, { account });
  const budget = makeBudget(db, 'shopify', account, { maximum: 1000, restorePerSecond: 100 });
  const other = makeBudget(db, 'shopify', `${account}.au`, { maximum: 1000, restorePerSecond: 100 });
  await budget.block(DAY_MS);
  await other.block(DAY_MS);
  const env = { DATABASE_URL: db.url };
  const said = await nightshift(['connections', 'limits', id, '--reset', '--json'], { env });
  expect(said).toMatchObject({ code: 0 });
  expect(said.json()[0]).toMatchObject({ reset: 1 });
  const stats = newRequestStats();
  await budget.take(1, { signal: new AbortController().signal, stats });
  expect(stats.waitedMs).toBe(0);
  expect(await db.column('select account from ops.rate_budgets where blocked_until is not null')).toEqual([
    `${account}.au`,
  ]);
  expect(
    await db.rows('select action, brand_id, before, details from ops.audit_log order by id desc limit 1'),
  ).toEqual([
    {
      action: 'connections.limits_reset',
      brand_id: brandId,
      before: { buckets: 1 },
      details: { provider: 'shopify', account },
    },
  ]);
});

test('of Stripe the buckets of each endpoint and mode go too', async () => {
  await using db = await freshDb();
  const { brandId, id: connectionId } = await aConnection(db, {
    provider: 'stripe',
    account: 'acct_1',
    auth: 'key',
  });
  const signal = new AbortController().signal;
  for (const livemode of [true, false]) {
    const pace = makePace(db, { brandId, connectionId, account: 'acct_1', livemode });
    await pace.take('/v1/charges', { signal, stats: newRequestStats() });
    await pace.block(DAY_MS);
  }
  const env = { DATABASE_URL: db.url };
  expect(await nightshift(['connections', 'limits', connectionId, '--reset'], { env })).toMatchObject({
    code: 0,
  });
  expect(await db.column('select account from ops.rate_budgets')).toEqual([]);
});

test('limits wants a number or --reset, and not both', async () => {
  await using db = await freshDb();
  const { id } = await aConnection(db);
  const env = { DATABASE_URL: db.url };
  const neither = await nightshift(['connections', 'limits', id], { env });
  expect(neither).toMatchObject({ code: 2, stderr: expect.stringContaining('--reset') });
  const both = await nightshift(['connections', 'limits', id, '150', '--reset'], { env });
  expect(both).toMatchObject({ code: 2 });
});
