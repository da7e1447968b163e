import { expect, test } from 'vitest';
import { makeKeyring, providerOf } from '#connectors/providers.ts';
import { saveScopes } from '#sql/tenants/account_facts.ts';
import {
  addConnection,
  findConnection,
  holdConnection,
  listConnections,
  openConnection,
  releaseConnection,
  replaceSecret,
} from '#sql/tenants/connections.ts';
import { checkedBaseUrl } from '#sql/tenants/hosts.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { freshDb } from '../support/db/db.ts';
import {
  aConnection,
  aRetailer,
  aShop,
  TEST_SECRET,
  testKeyring,
  testSealer,
  twoShops,
} from '../support/rows/factory.ts';
import { thingTables } from '../support/rows/things.ts';

const now = new Date('2024-06-01T00:00:00Z');

test.for<[string, string]>([
  ['shopify', 'https://a-shop.myshopify.com'],
  ['shopify', 'http://127.0.0.1:4010/shops/uk'],
  ['shopify', 'http://localhost:4010'],
  ['shopify', 'http://[::1]:4010'],
  ['shopify', 'http://sandbox.internal:8080'],
  ['stripe', 'https://api.stripe.com'],
  ['stripe', 'https://proxy.example'],
])('%s may be at %s', ([provider, address]) => {
  expect(
    checkedBaseUrl(providerOf(provider), `${address}/`, ['sandbox.internal:8080', 'proxy.example']),
  ).toBe(address);
});

test.for<[string, string]>([
  ['shopify', 'http://a-shop.myshopify.com'], // without encryption
  ['shopify', 'https://myshopify.com'],
  ['shopify', 'https://a.b.myshopify.com'],
  ['shopify', 'https://-a.myshopify.com'],
  ['shopify', 'https://a-shop.myshopify.com.evil.example'],
  ['shopify', 'https://evil.example/a-shop.myshopify.com'],
  ['shopify', 'https://a-shop.myshopify.com@evil.example'],
  ['shopify', 'https://evil.example#a-shop.myshopify.com'],
  ['shopify', 'https://a-shop.myshopify.com:8443'],
  ['shopify', 'https://user:password@a-shop.myshopify.com'],
  ['shopify', 'https://a-shop.myshopify.com?x=1'],
  ['shopify', 'https://api.stripe.com'], // another provider's
  ['shopify', 'http://sandbox.internal:9090'], // another port than the listed one
  ['shopify', 'http://127.0.0.1.evil.example'],
  ['shopify', 'http://128.0.0.1'],
  ['shopify', 'ftp://127.0.0.1'],
  ['stripe', 'https://api.stripe.com.evil.example'],
  ['stripe', 'no address'],
])('%s is never at %s', ([provider, address]) => {
  expect(() => checkedBaseUrl(providerOf(provider), address, ['sandbox.internal:8080'])).toThrow(
    expect.objectContaining({ code: 'NS_HOST_REFUSED', verdict: 'hold' }),
  );
});

test('a provider is at its own address unless another is given', () => {
  expect(providerOf('shopify').baseUrl('a-shop.myshopify.com')).toBe('https://a-shop.myshopify.com');
  expect(providerOf('stripe').baseUrl('acct_1')).toBe('https://api.stripe.com');
});

test('a connection is stored without its secret in sight, and opened with it', async () => {
  await using db = await freshDb();
  const added = await aConnection(db, { name: 'uk', baseUrl: 'http://127.0.0.1:4010/' });
  expect(added).toMatchObject({ provider: 'shopify', baseUrl: 'http://127.0.0.1:4010', heldAt: null });
  expect(JSON.stringify(await listConnections(db, added.brandId))).not.toContain(TEST_SECRET);
  const stored = await db.rows(
    'select encode(secret, $1) as secret, c::text as line from app.connections c',
    ['escape'],
  );
  expect(JSON.stringify(stored)).not.toContain(TEST_SECRET);
  expect(
    await openConnection(db, { brandId: added.brandId, connectionId: added.id }, testKeyring),
  ).toMatchObject({
    ...{ id: added.id, secret: TEST_SECRET, timeZone: 'Europe/London', retailerId: added.retailerId },
  });
});

test('a connection whose address is allowed no longer does not open', async () => {
  await using db = await freshDb();
  const keyring = makeKeyring(testSealer, ['proxy.example']);
  const { brandId, id } = await aConnection(db, { baseUrl: 'https://proxy.example' }, keyring);
  expect((await openConnection(db, { brandId, connectionId: id }, keyring)).secret).toBe(TEST_SECRET);
  await expect(openConnection(db, { brandId, connectionId: id }, testKeyring)).rejects.toMatchObject({
    code: 'NS_HOST_REFUSED',
  });
});

test('a name is taken once per brand, and what is not there is said with what is', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  const named = (brandId: string, retailerId: string) => aConnection(db, { brandId, retailerId, name: 'uk' });
  await named(one.brand.id, one.retailer.id);
  await named(other.brand.id, other.retailer.id);
  await expect(named(one.brand.id, one.retailer.id)).rejects.toMatchObject({ code: 'NS_NAME_TAKEN' });
  await expect(
    aConnection(db, { brandId: one.brand.id, name: 'Not Fit', account: 'a.myshopify.com' }),
  ).rejects.toMatchObject({
    code: 'NS_NAME_UNFIT',
  });
  await expect(findConnection(db, one.brand.id, 'us')).rejects.toThrow(/There are: .*uk/);
  expect((await findConnection(db, other.brand.id, 'uk')).brandId).toBe(other.brand.id);
});

test('a shop belongs to a retailer of its own brand', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  await expect(
    aConnection(db, { brandId: one.brand.id, retailerId: other.retailer.id }),
  ).rejects.toMatchObject({ code: 'NS_NAME_NOT_FOUND' });
  const lonely = {
    brandId: one.brand.id,
    name: 'x',
    provider: 'stripe',
    account: 'a',
    auth: 'key',
    secret: 's',
  } as const;
  await expect(db.transaction((tx) => addConnection(tx, testKeyring, lonely))).rejects.toThrow(
    /belongs_to_a_retailer/,
  );
});

test('the first reason of a hold stays until it is released, once', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  const which = { brandId: brand.id, connectionId: connection.id, actor: 'ann' };
  const hold = (code: string) =>
    db.transaction((tx) => holdConnection(tx, which, { code, reason: 'r', now }));
  await hold('NS_FIRST');
  await hold('NS_SECOND');
  expect(await findConnection(db, brand.id, connection.name)).toMatchObject({
    heldAt: now,
    heldCode: 'NS_FIRST',
  });
  const release = () => db.transaction((tx) => releaseConnection(tx, which));
  expect([await release(), await release()]).toEqual([true, false]);
  expect(await findConnection(db, brand.id, connection.name)).toMatchObject({
    heldAt: null,
    heldReason: null,
  });
});

test('another key takes the token with it that was made with the old one', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  await db.query("update app.connections set token = 'x', token_key_id = 'test', token_expires_at = now()");
  const which = { brandId: brand.id, connectionId: connection.id };
  await db.transaction((tx) => replaceSecret(tx, testSealer, which, 'another'));
  expect(
    (await openConnection(db, { brandId: brand.id, connectionId: connection.id }, testKeyring)).secret,
  ).toBe('another');
  expect(await db.column('select token from app.connections')).toEqual([null]);
});

test('what a key may do is kept with the connection', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  const which = { brandId: one.brand.id, connectionId: one.connection.id };
  await db.transaction((tx) => saveScopes(tx, which, ['read_orders'], now));
  expect(await findConnection(db, one.brand.id, one.connection.name)).toMatchObject({
    ...{ grantedScopes: ['read_orders'], checkedAt: now },
  });
  expect((await findConnection(db, other.brand.id, other.connection.name)).grantedScopes).toBeNull();
});

test('everything that an operator does to connections is kept, with who did it and no secret', async () => {
  await using db = await freshDb();
  const { brand, retailer, connection } = await aShop(db);
  const target = await aRetailer(db, { brandId: brand.id });
  const which = { brandId: brand.id, connectionId: connection.id, actor: 'ann' };
  await db.query('delete from ops.audit_log');
  await db.transaction(async (tx) => {
    await holdConnection(tx, which, { code: 'NS_X', reason: 'because', now });
    await releaseConnection(tx, which);
    await releaseConnection(tx, which);
    await replaceSecret(tx, testSealer, which, 'another secret');
    await moveConnection(tx, { ...which, retailerId: target.id, tables: thingTables.slice(0, 0), now });
    await moveConnection(tx, { ...which, retailerId: target.id, tables: thingTables.slice(0, 0), now });
  });
  const kept = await db.rows(
    'select actor, action, brand_id, target, before, after from ops.audit_log order by id',
  );
  const by = { actor: 'ann', brand_id: brand.id, target: connection.name };
  const held = { code: 'NS_X', reason: 'because' };
  expect(kept).toEqual([
    { ...by, action: 'connections.hold', before: { held: null }, after: { held } },
    { ...by, action: 'connections.release', before: { held }, after: { held: null } },
    {
      ...{ ...by, action: 'connections.key', before: { auth: 'token', keyChangedAt: null } },
      after: { auth: 'token', keyChangedAt: expect.any(String) },
    },
    {
      ...{ ...by, action: 'connections.move', before: { retailerId: retailer.id } },
      after: { retailerId: target.id },
    },
  ]);
});
