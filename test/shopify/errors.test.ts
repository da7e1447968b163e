import { expect, test } from 'vitest';
import { z } from 'zod';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { openShopify } from '#connectors/shopify/api/client.ts';
import { ordersCount, shopQuery } from '#connectors/shopify/api/queries.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Answer, fakeProvider, json, status } from '../support/providers/provider.ts';
import { aConnection, TEST_SECRET, testKeyring, testSealer } from '../support/rows/factory.ts';

const anything = z.record(z.string(), z.unknown());
const shop = json({ data: { shop: { id: 'gid://shopify/Shop/1' } } });

async function askShop(db: TestDb, ...answers: Answer[]) {
  await using provider = await fakeProvider(...answers);
  const { brandId, id } = await aConnection(db, { baseUrl: provider.url });
  const connection = await openConnection(db, { brandId, connectionId: id }, testKeyring);
  const warnings: string[] = [];
  const shopify = openShopify({
    ...{ connection, db, sealer: testSealer, stats: newRequestStats() },
    signal: new AbortController().signal,
    warn: (warning) => void warnings.push(warning),
  });
  const result = await shopify.ask(shopQuery, {}, anything).catch((error: Error) => error);
  return { result, warnings, asked: provider.asked, db };
}

const failure = (code: string | undefined, more: object = {}) =>
  json({ errors: [{ message: `it says ${code}`, ...(code && { extensions: { code, ...more } }) }] });

test.each([
  ['401', status(401), 'NS_CREDENTIALS_REJECTED', 'hold'],
  ['402', status(402), 'NS_ACCOUNT_SUSPENDED', 'retry'],
  ['403', status(403), 'NS_SCOPE_MISSING', 'hold'],
  ['404', status(404), 'NS_ACCOUNT_NOT_FOUND', 'hold'],
  ['400', status(400), 'NS_REQUEST_REFUSED', 'give_up'],
  ['414', status(414), 'NS_REQUEST_REFUSED', 'give_up'],
  ['415', status(415), 'NS_REQUEST_REFUSED', 'give_up'],
  ['422', status(422), 'NS_REQUEST_REFUSED', 'give_up'],
  ['423', status(423), 'NS_ACCOUNT_SUSPENDED', 'hold'],
  ['430', status(430), 'NS_RATE_LIMITED', 'retry'],
  ['501', status(501), 'NS_REQUEST_REFUSED', 'give_up'],
  ['783', status(783), 'NS_REQUEST_REFUSED', 'give_up'],
  ['301', status(301), 'NS_REDIRECT_REFUSED', 'hold'],
  ['ACCESS_DENIED', failure('ACCESS_DENIED'), 'NS_SCOPE_MISSING', 'hold'],
  ['SHOP_INACTIVE', failure('SHOP_INACTIVE'), 'NS_ACCOUNT_SUSPENDED', 'retry'],
  ['MAX_COST_EXCEEDED', failure('MAX_COST_EXCEEDED'), 'NS_PAGE_TOO_HEAVY', 'give_up'],
  ['undefinedField', failure('undefinedField'), 'NS_REQUEST_REFUSED', 'give_up'],
  ['BAD_REQUEST', failure('BAD_REQUEST'), 'NS_REQUEST_REFUSED', 'give_up'],
])('%s is asked once', async (_, answer, code, verdict) => {
  await using db = await freshDb();
  const { result, asked } = await askShop(db, answer);
  expect(result).toMatchObject({ code, verdict });
  expect(asked).toHaveLength(1);
});

test.each([
  ['500', status(500, { 'retry-after': '0' }), 'NS_PROVIDER_UNAVAILABLE'],
  ['502', status(502, { 'retry-after': '0' }), 'NS_PROVIDER_UNAVAILABLE'],
  ['503', status(503, { 'retry-after': '0' }), 'NS_PROVIDER_UNAVAILABLE'],
  ['504', status(504, { 'retry-after': '0' }), 'NS_PAGE_TOO_HEAVY'],
  ['530', status(530, { 'retry-after': '0' }), 'NS_PROVIDER_UNAVAILABLE'],
  ['540', status(540, { 'retry-after': '0' }), 'NS_PROVIDER_UNAVAILABLE'],
])('%s is asked again some times and then left to the queue', async (_, answer, code) => {
  await using db = await freshDb();
  const { result, asked } = await askShop(db, answer);
  expect(result).toMatchObject({ code, verdict: 'retry' });
  expect(asked.length).toBeGreaterThan(2);
});

test.each([
  ['an internal error', failure('INTERNAL_SERVER_ERROR')],
  ['an error without a code', failure(undefined)],
  ['JSON that is cut', json('{"data": {"shop": {"id"')],
  ['a page of HTML', json('<html>maintenance</html>')],
])('%s passes when it is asked again', async (_, trouble) => {
  await using db = await freshDb();
  const { result, asked } = await askShop(db, trouble, shop);
  expect(result).toEqual({ shop: { id: 'gid://shopify/Shop/1' } });
  expect(asked).toHaveLength(2);
});

test('THROTTLED waits and spends no attempt, however often it comes', async () => {
  await using db = await freshDb();
  const cost = {
    requestedQueryCost: 5,
    actualQueryCost: null,
    throttleStatus: { maximumAvailable: 2000, currentlyAvailable: 0, restoreRate: 2000 },
  };
  const throttled = json({
    errors: [{ message: 'Throttled', extensions: { code: 'THROTTLED' } }],
    extensions: { cost },
  });
  const { result, asked } = await askShop(db, ...Array.from({ length: 8 }, () => throttled), shop);
  expect(result).toHaveProperty('shop');
  expect(asked).toHaveLength(9);
});

test('partial data beside an error are never given out', async () => {
  await using db = await freshDb();
  const denied = {
    message: 'Access denied for customer field.',
    extensions: { code: 'ACCESS_DENIED', requiredAccess: '`read_customers` access scope.' },
  };
  const { result } = await askShop(db, json({ data: { shop: { id: null } }, errors: [denied] }));
  expect(result).toMatchObject({
    code: 'NS_SCOPE_MISSING',
    message: expect.stringContaining('read_customers'),
  });
});

test('a filter that Shopify would ignore is refused', async () => {
  await using db = await freshDb();
  const warnings = [{ field: 'changed', message: 'Invalid search field', code: 'invalid_field' }];
  const { result } = await askShop(
    db,
    json({ data: {}, extensions: { search: [{ path: ['orders'], query: 'x', warnings }] } }),
  );
  expect(result).toMatchObject({ code: 'NS_REQUEST_REFUSED', verdict: 'give_up' });
});

test('an answer of another version than the pinned one warns', async () => {
  await using db = await freshDb();
  const { result, warnings } = await askShop(
    db,
    json({ data: { shop: {} } }, { headers: { 'x-shopify-api-version': '2027-01' } }),
  );
  expect(result).toEqual({ shop: {} });
  expect(warnings).toEqual(['Shopify answered with API version 2027-01 instead of 2026-10']);
});

test('after a security rejection nobody asks that shop for a while', async () => {
  await using db = await freshDb();
  const { result } = await askShop(db, status(430));
  expect(result).toMatchObject({ retryAfterMs: 15 * 60_000 });
  expect(
    await db.column("select blocked_until > now() + interval '14 minutes' from ops.rate_budgets"),
  ).toEqual([true]);
});

test('no error holds the key', async () => {
  await using db = await freshDb();
  for (const answer of [status(401), status(500, { 'retry-after': '0' }), failure('ACCESS_DENIED')]) {
    const { result, asked } = await askShop(db, answer);
    expect(asked[0]?.headers['x-shopify-access-token']).toBe(TEST_SECRET);
    expect(`${(result as Error).stack}${JSON.stringify(result)}`).not.toContain(TEST_SECRET);
  }
});

test('the answer has to be of the shape that was asked for', async () => {
  await using db = await freshDb();
  await using provider = await fakeProvider(json({ data: { count: { count: 'three' } } }));
  const { brandId, id } = await aConnection(db, { baseUrl: provider.url });
  const connection = await openConnection(db, { brandId, connectionId: id }, testKeyring);
  const shopify = openShopify({
    ...{ connection, db, sealer: testSealer, stats: newRequestStats(), warn: () => {} },
    signal: new AbortController().signal,
  });
  const asking = shopify.ask(ordersCount, { query: '' }, z.object({ count: z.object({ count: z.int() }) }));
  await expect(asking).rejects.toMatchObject({
    code: 'NS_ANSWER_NOT_UNDERSTOOD',
    message: expect.stringContaining('count.count'),
  });
});
