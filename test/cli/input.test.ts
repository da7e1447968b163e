/** What an operator types by mistake is refused before it does anything, with the exit code that fits. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { providers } from '#connectors/providers.ts';
import { storedKey } from '../../bin/cli/connections/stored_key.ts';
import { day, isoInstant, title } from '../../bin/cli/ui/arguments.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { scenarioDir } from '../support/providers/sandbox.ts';
import { aBrand, aRetailer, TEST_KEYS } from '../support/rows/factory.ts';

let db: TestDb;
beforeAll(async () => {
  db = await freshDb();
});
afterAll(() => db[Symbol.asyncDispose]());

const env = (more: Record<string, string> = {}) => ({
  DATABASE_URL: db.url,
  NIGHTSHIFT_SECRET_KEYS: TEST_KEYS,
  ...more,
});

test.each([
  ['2026-02-28T00:00:00Z', '2026-02-28T00:00:00.000Z'],
  ['2024-02-29T01:00:00+01:00', '2024-02-29T00:00:00.000Z'],
  ['2026-03-29T02:00Z', '2026-03-29T02:00:00.000Z'],
])('%s is an instant', (text, utc) => expect(isoInstant(text)).toBe(utc));

test.each([
  ...['2026-02-30T00:00:00Z', '2026-02-29T00:00:00Z', '2026-04-31T12:00:00+02:00', '2026-01-01T24:00:00Z'],
  ...['0000-01-01T00:00:00Z', '9999-12-31T23:00:00-05:00', '2026-01-01T00:00:00', '2026-01-01', 'yesterday'],
])('%s is none', (text) => expect(() => isoInstant(text)).toThrow('It must be an existing instant'));

test.each(['2026-02-30', '2026-13-01', '0000-01-01', '2026-1-1', ''])('%s is not a day', (text) =>
  expect(() => day(text)).toThrow('It must be an existing day'),
);

test('every option that takes an instant refuses one that does not exist', async () => {
  for (const line of [
    'sync run --brand a --since 2026-02-30T00:00:00Z',
    'sync run --brand a --since 2026-02-01T00:00:00Z --until 2026-02-30T00:00:00Z',
    'fx sync --now 2026-02-30T00:00:00Z',
  ]) {
    const { code, stderr } = await nightshift(line.split(' '));
    expect(code, line).toBe(2);
    expect(stderr, line).toContain('an existing instant');
  }
});

test('what something is called is a line of some length', () => {
  expect(title('  Acme Ltd ')).toBe('Acme Ltd');
  for (const text of ['', '  ', 'a'.repeat(201), 'a\nb', 'a\u001b[31mb'])
    expect(() => title(text)).toThrow('one line of 1 to 200 characters');
});

test('an empty or endless name is refused, by the database too', async () => {
  const brand = ['--zone', 'Europe/London', '--currency', 'GBP'];
  for (const name of ['', 'x'.repeat(100_000)]) {
    const added = await nightshift(['brands', 'add', 'acme', '--name', name, ...brand], { env: env() });
    expect(added.code).toBe(2);
    await expect(aBrand(db, { name })).rejects.toMatchObject({ code: '23514' });
    await expect(aRetailer(db, { name })).rejects.toMatchObject({ code: '23514' });
  }
});

const STRIPE = 'rk_live_abcdefgh';
const SHOP = 'shpat_abcdefgh';

test.each([
  ['shopify', 'token', STRIPE, 'it is a key of Stripe'],
  ['shopify', 'token', 'whsec_abcdefgh', 'it is a key of Stripe'],
  ['shopify', 'token', 'shpss_abcdefgh', 'secret of an app'],
  ['shopify', 'client_credentials', 'rk_live_abc:sk_live_def', 'it is a key of Stripe'],
  ['shopify', 'client_credentials', 'app:sk_live_def', 'it is a key of Stripe'],
  [
    'shopify',
    'client_credentials',
    '{"client_id":"rk_live_abc","client_secret":"x"}',
    'it is a key of Stripe',
  ],
  ['stripe', 'key', SHOP, 'it is a key of Shopify'],
  ['stripe', 'connected', 'pk_live_abcdefgh', 'publishable'],
  ['stripe', 'key', 'hunter22', 'begins with neither'],
])('a connection of %s with --auth %s does not take %s', (provider, auth, key, why) => {
  const take = () => storedKey({ provider, auth, key });
  expect(take).toThrow(
    expect.objectContaining({ code: 'NS_KEY_UNFIT', message: expect.stringContaining(why) }),
  );
  expect(take).not.toThrow(key);
});

test('a key without any known form is a token of an old app, and client credentials have two parts', () => {
  const old = '0123456789abcdef0123456789abcdef';
  expect(storedKey({ provider: 'shopify', auth: 'token', key: old })).toBe(old);
  expect(storedKey({ provider: 'shopify', auth: 'client_credentials', key: 'id:shpss_x' })).toBe(
    '{"client_id":"id","client_secret":"shpss_x"}',
  );
});

test('a key of another provider or of 100 kB is not stored, when it is added and when it is replaced', async () => {
  const brand = await aBrand(db, { slug: `acme-${randomUUID().slice(0, 8)}` });
  await aRetailer(db, { brandId: brand.id, slug: 'uk' });
  const shop = ['--brand', brand.slug, '--retailer', 'uk', '--provider', 'shopify', '--account', 'acme-uk'];
  const add = ['connections', 'add', 'acme-uk', ...shop];
  const foreign = await nightshift(add, { env: env(), input: STRIPE });
  expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining('it is a key of Stripe') });
  const long = env({ LONG: `shpat_${'a'.repeat(100_000)}` });
  for (const given of [
    await nightshift([...add, '--key-env', 'LONG'], { env: long }),
    await nightshift(add, { env: env(), input: `shpat_${'a'.repeat(100_000)}` }),
  ])
    expect(given).toMatchObject({ code: 2, stderr: expect.stringContaining('longer than 4096') });
  expect(await db.column('select name from app.connections where brand_id = $1', [brand.id])).toEqual([]);

  expect(await nightshift(add, { env: env(), input: SHOP })).toMatchObject({ code: 0 });
  const replaced = await nightshift(['connections', 'key', 'acme-uk', '--brand', brand.slug], {
    env: env(),
    input: STRIPE,
  });
  expect(replaced).toMatchObject({ code: 2, stderr: expect.stringContaining('it is a key of Stripe') });
});

test('what is named and not there ends with 3', async () => {
  for (const line of ['fx import /nope.csv', 'sandbox --data /nope']) {
    const { code, stderr } = await nightshift(line.split(' '), { env: env() });
    expect({ line, code }).toEqual({ line, code: 3 });
    expect(stderr).toContain('/nope');
  }
});

test('a port that is taken is told before anything is read', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // Reading this one would fail too: whoever reads first says so.
  await using dir = await scenarioDir({ 'orders.ndjson': [{ id: 'not an order' }] });
  const ran = await nightshift(['sandbox', '--data', dir.dir, '--port', String(port)]);
  server.close();
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('EADDRINUSE') });
});

test('a server that is only read, and an account without rights, are told with what to do', async () => {
  await using own = await freshDb();
  const readOnly = new URL(own.url);
  readOnly.searchParams.set('options', '-c default_transaction_read_only=on');
  const brand = ['brands', 'add', 'acme', '--zone', 'Europe/London', '--currency', 'GBP'];
  const refused = await nightshift([...brand, '--json'], { env: { DATABASE_URL: readOnly.href } });
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(JSON.parse(refused.stderr).error).toMatchObject({ code: 'NS_DATABASE_READ_ONLY' });

  const role = `poor_${randomUUID().slice(0, 8)}`;
  await own.query(`create role ${role} login password 'poor'`);
  try {
    const poor = new URL(own.url);
    [poor.username, poor.password] = [role, 'poor'];
    const denied = await nightshift(['brands', 'list'], { env: { DATABASE_URL: poor.href } });
    expect(denied).toMatchObject({ code: 1, stdout: '' });
    expect(denied.stderr).toMatch(/lacks a privilege: permission denied .*\n {2}next: .*migrate/);
    expect(denied.stderr).not.toContain('should not happen');
  } finally {
    await own.query(`drop role ${role}`);
  }
});

test('the hint after a retailer names every provider', async () => {
  const brand = await aBrand(db);
  const { stderr } = await nightshift(['retailers', 'add', 'uk', '--brand', brand.slug], { env: env() });
  expect(stderr).toContain('--provider PROVIDER --account ACCOUNT');
  expect(stderr).toContain(`PROVIDER is ${providers.map(({ name }) => name).join(' or ')}`);
});
