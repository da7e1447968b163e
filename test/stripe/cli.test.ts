import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge, NOW, stripeSandbox } from '../support/providers/stripe.ts';
import { aBrand, aRetailer } from '../support/rows/factory.ts';

const BRAND_KEY = 'rk_test_brand';

async function aBrandIn(db: TestDb): Promise<Record<string, string>> {
  const { id } = await aBrand(db, { slug: 'acme' });
  await aRetailer(db, { brandId: id, slug: 'uk' });
  const sealing = `test:${Buffer.alloc(32, 7).toString('base64')}`;
  return { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: sealing };
}
const add = (...more: string[]) => [
  ...['connections', 'add', 'stripe-uk', '--brand', 'acme', '--retailer', 'uk', '--provider', 'stripe'],
  ...more,
];

test('a connected account is added with the key of the brand, and checked', async () => {
  await using db = await freshDb();
  const env = await aBrandIn(db);
  await using sandbox = await stripeSandbox(
    { 'stripe/acct_uk/charges.ndjson': [charge('ch_1')] },
    { stripe: { acct_brand: { key: BRAND_KEY, connected: ['acct_uk'] }, acct_uk: { currency: 'gbp' } } },
  );
  const where = ['--account', 'acct_uk', '--auth', 'connected', '--base-url', `${sandbox.url}/stripe`];
  expect(await nightshift(add(...where), { env, input: BRAND_KEY })).toMatchObject({ code: 0 });
  const check = ['connections', 'check', 'stripe-uk', '--brand', 'acme', '--now', NOW];
  const { code, stdout } = await nightshift(check, { env });
  expect(stdout).toContain('stripe-uk reaches acct_uk (acct_uk, GBP, Etc/UTC).');
  expect(code).toBe(0);
});

test('a publishable key, an account without its id and a way of using keys that is not Stripe’s are refused', async () => {
  await using db = await freshDb();
  const env = await aBrandIn(db);
  const published = await nightshift(add('--account', 'acct_uk'), { env, input: 'pk_test_of_acme' });
  expect(published.code).not.toBe(0);
  expect(published.stderr).toContain('publishable');
  expect(published.stderr).not.toContain('pk_test_of_acme');
  const named = await nightshift(add('--account', 'acme'), { env, input: BRAND_KEY });
  expect(named.stderr).toContain('acct_');
  const token = await nightshift(add('--account', 'acct_uk', '--auth', 'token'), { env, input: BRAND_KEY });
  expect(token.stderr).toContain('choose one of: key, connected');
  expect(await db.column('select count(*)::int from app.connections')).toEqual([0]);
});

test('raised limits of an account are given with it or later, changed and taken back, of Stripe only', async () => {
  await using db = await freshDb();
  const env = await aBrandIn(db);
  const of = ['--account', 'acct_uk'];
  const limits = (value: string) => nightshift(['connections', 'limits', 'stripe-uk', value], { env });
  const stored = () => db.column('select requests_per_second from app.connections order by name');

  const tooMany = await nightshift(add(...of, '--requests-per-second', '0'), { env, input: BRAND_KEY });
  expect(tooMany).toMatchObject({ code: 2, stdout: '' });
  expect(tooMany.stderr).toContain('a whole number from 1 to 10000');
  const added = await nightshift(add(...of, '--requests-per-second', '150'), { env, input: BRAND_KEY });
  expect(added).toMatchObject({ code: 0 });
  expect(await stored()).toEqual([150]);
  const raised = await limits('400');
  expect(raised).toMatchObject({ code: 0 });
  expect(raised.stdout).toContain('stripe-uk keeps to 400 requests a second.');
  expect(await stored()).toEqual([400]);
  expect(await limits('10001')).toMatchObject({ code: 2 });
  const listed = await nightshift(['connections', 'list', '--json'], { env });
  expect(listed.json()).toMatchObject([{ connection: 'stripe-uk', requests_per_second: 400 }]);
  expect(await limits('usual')).toMatchObject({ code: 0 });
  expect(await stored()).toEqual([null]);
  expect(
    await db.rows("select before, after from ops.audit_log where action = 'connections.limits' order by id"),
  ).toEqual([
    { before: { requestsPerSecond: 150 }, after: { requestsPerSecond: 400 } },
    { before: { requestsPerSecond: 400 }, after: { requestsPerSecond: null } },
  ]);

  const shop = [
    'connections',
    'add',
    'acme-uk',
    '--brand',
    'acme',
    '--retailer',
    'uk',
    '--provider',
    'shopify',
  ];
  const given = [...shop, '--account', 'acme', '--requests-per-second', '9'];
  const refused = await nightshift(given, { env, input: 'shpat_of_acme' });
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain('The limits of Shopify are not set by hand.');
});
