/** What an operator and a provider ask for, and what becomes of it. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeKeyring } from '#connectors/providers.ts';
import { resealAll } from '#sql/tenants/reseal.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { privacyPurge } from '#tasks/privacy/purge.ts';
import { privacyWatch } from '#tasks/privacy/watch.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { tracesOf } from '../support/privacy/ask.ts';
import { aConnection, aShop, TEST_KEYS } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';
import { APP_SECRET, aDoor, fromShopify, giveSecret, send } from '../support/webhooks/door.ts';

const CUSTOMER = '7012345678901';
const TEST_KEY = { id: 'test', key: Buffer.alloc(32, 7) };
const DOMAIN = 'acme.myshopify.com';
const ORDERS = [
  anOrder({ id: '11', customer: CUSTOMER, at: '2024-05-01T12:00:00Z' }),
  anOrder({ id: '12', at: '2024-05-02T12:00:00Z' }),
  anOrder({ id: '13', customer: '70123', at: '2024-05-03T12:00:00Z' }),
];
const envOf = ({ url }: TestDb) => ({ DATABASE_URL: url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });

async function aStore(db: TestDb, account = DOMAIN) {
  const shop = await aShop(db);
  const { id: brandId } = shop.brand;
  const retailerId = shop.retailer.id;
  await db.query('delete from app.connections where id = $1', [shop.connection.id]);
  const connection = await aConnection(db, { brandId, retailerId, account });
  const store = { ...shop, connection, db };
  await db.transaction((tx) => loadOrders(tx, placeOf(store), ORDERS));
  await rollDirty(store);
  return store;
}

test('an export has all rows of the person in a file of its owner, and an erasure wants the name of the brand', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aStore(db);
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-export-'));
  const output = join(dir, 'person.ndjson');
  const who = ['--brand', brand.slug, '--customer', CUSTOMER, '--connection', connection.name];
  const run = (...words: string[]) => nightshift(['privacy', ...words], { env: envOf(db) });

  await db.query(
    `insert into ops.audit_log (actor, action, brand_id, target, details)
     values ('me', 'sync.run', $1, 'of somebody else', jsonb_build_object('ids', jsonb_build_array($2::text)))`,
    [brand.id, CUSTOMER],
  );
  expect(await run('export', ...who, '--output', output)).toMatchObject({ code: 0, stdout: '' });
  const lines = (await readFile(output, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([...new Set(lines.map(({ table }) => table))]).toEqual(
    expect.arrayContaining(['raw.shopify_orders', 'raw.shopify_sales', 'raw.shopify_agreements']),
  );
  expect(lines.find(({ table }) => table === 'raw.shopify_orders').row).toMatchObject({
    id: '11',
    customer_id: CUSTOMER,
  });
  const noted = lines.filter(({ table }) => table === 'ops.audit_log').map(({ row }) => Object.keys(row));
  expect(noted).toEqual([expect.not.arrayContaining(['target'])]);
  expect(noted[0]).toContain('details');
  expect((await stat(output)).mode & 0o777).toBe(0o600);
  expect(await run('export', ...who, '--output', output)).toMatchObject({ code: 2 });
  expect(await run('export', ...who, '--output', join(dir, 'nowhere', 'x'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('cannot be written'),
  });
  await rm(dir, { recursive: true });

  const rehearsed = await run('erase', ...who, '--dry-run', '--json');
  expect(rehearsed.json()).toMatchObject([{ dry_run: true, rows: { 'raw.shopify_orders': 1 } }]);
  expect(await run('erase', ...who, '--yes', 'other')).toMatchObject({ code: 2 });
  expect(await run('erase', '--brand', brand.slug, '--customer', CUSTOMER)).toMatchObject({ code: 2 });
  expect(await run('erase', '--brand', brand.slug, '--email', 'nobody')).toMatchObject({ code: 2 });
  expect(await db.column('select count(*) from ops.privacy_requests')).toEqual([0]);

  const erased = await run('erase', ...who, '--yes', brand.slug, '--wait', '--json');
  expect(erased).toMatchObject({ code: 0 });
  expect(erased.json()).toMatchObject([{ request: 1, state: 'succeeded' }]);
  expect(await tracesOf(db, brand.id, [CUSTOMER])).toEqual([]);
  const [shown] = (await run('show', '1', '--brand', brand.slug, '--json')).json() as Record<
    string,
    object
  >[];
  expect(shown).toMatchObject({ state: 'done', erased: { 'raw.shopify_orders': 1 }, proof: { found: {} } });
  expect((await run('show', '1', '--brand', brand.slug)).stdout).toContain('nothing of the person was found');
  expect(
    await db.column("select distinct action from ops.audit_log where action like 'privacy.%' order by 1"),
  ).toEqual([...['privacy.done', 'privacy.export', 'privacy.request']]);
});

test('what Shopify passes on is done for the shop that it names: an erasure, with the orders of a guest', async () => {
  await using db = await freshDb();
  const store = await aStore(db);
  const other = await aConnection(db, { brandId: store.brand.id, account: 'other.myshopify.com' });
  const { brandId } = { brandId: store.brand.id };
  await giveSecret(db, { brandId, connectionId: other.id }, APP_SECRET);
  await using door = await aDoor(db);
  const customer = { id: Number(CUSTOMER), email: 'ann@example.com', phone: '+1 555 625 1199' };
  const deliver = (domain: string, more: object, topic = 'customers/redact') =>
    send(
      ...([door, 'shopify', other.id] as const),
      fromShopify(topic, JSON.stringify({ shop_id: 1, shop_domain: domain, customer, ...more }), {
        id: `${domain} ${topic}`,
      }),
    );
  expect(await deliver(DOMAIN, { orders_to_redact: [12] })).toBe(200);
  expect(await deliver('stranger.myshopify.com', { orders_to_redact: [13] })).toBe(200);
  const asked = { orders_requested: [], data_request: { id: 5 } };
  expect(await deliver(DOMAIN, asked, 'customers/data_request')).toBe(200);
  expect(await db.column("select payload->>'request' from ops.jobs where task = 'privacy_erase'")).toEqual([
    '1',
  ]);
  expect(await db.column('select connection_id from ops.privacy_requests order by id')).toEqual([
    ...[store.connection.id, other.id, store.connection.id],
  ]);
  // An export waits for an operator; a request of another shop is never followed with the ids of this one.
  const command = (...words: string[]) =>
    nightshift(['privacy', ...words, '--brand', store.brand.slug], { env: envOf(db) });
  expect((await command('export', '--request', '3')).stdout).toContain(CUSTOMER);
  expect(await command('export', '--request', '2')).toMatchObject({ code: 2, stdout: '' });
  expect(await runTask(privacyErase, { brandId, request: 2 }, db)).toMatchObject({
    skipped: expect.any(String),
  });
  expect(await resealAll(db, sealer([{ id: 'new', key: Buffer.alloc(32, 9) }, TEST_KEY]))).toMatchObject({
    persons: 4,
  });
  await runTask(privacyErase, { brandId, request: 1 }, db, {
    services: makeKeyring(sealer([{ id: 'new', key: Buffer.alloc(32, 9) }]), []),
  });
  expect(
    await db.rows(
      "select id, customer_id like 'erased:%' as pseudonym, payload from raw.shopify_orders order by id",
    ),
  ).toEqual([
    { id: '11', pseudonym: true, payload: { erased: true } },
    { id: '12', pseudonym: null, payload: { erased: true } },
    { id: '13', pseudonym: false, payload: null },
  ]);
  const listed = (await nightshift(['privacy', 'requests', '--json'], { env: envOf(db) })).json();
  expect(listed).toMatchObject([
    { id: 2, state: expect.stringContaining('stranger.myshopify.com') },
    { id: 3, state: 'waits for an operator' },
    { id: 1, state: 'done', subject: {} },
  ]);
});

test('a closed shop goes with its rows and figures, its request stays; one that still answers is left alone', async () => {
  await using db = await freshDb();
  const store = await aStore(db);
  const { brand, connection } = store;
  await giveSecret(db, placeOf(store), APP_SECRET);
  await using door = await aDoor(db);
  const body = JSON.stringify({ shop_id: 1, shop_domain: DOMAIN });
  const close = (id: string) =>
    send(door, 'shopify', connection.id, fromShopify('shop/redact', body, { id }));
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, state, last_success_at, updated_at, position)
     values ($1, $2, 'shopify.orders', 'ok', now(), now(), '{}')`,
    [brand.id, connection.id],
  );
  expect(await close('one')).toBe(200);
  expect(await db.column("select count(*) from ops.jobs where task = 'privacy_purge'")).toEqual([1]);
  const run = () => runTask(privacyPurge, { brandId: brand.id, request: 1 }, db);
  expect(await run()).toMatchObject({ incomplete: expect.stringContaining('still answers') });
  await db.query("update ops.positions set last_success_at = now() - interval '3 days'");
  expect(await run()).toMatchObject({ purged: expect.any(Number) });
  expect(await db.column('select count(*) from app.connections')).toEqual([0]);
  expect(await db.column('select count(*) from raw.shopify_orders')).toEqual([0]);
  await rollDirty(store);
  expect(await db.column('select count(*) from bi.daily_sales')).toEqual([0]);
  expect(await run()).toMatchObject({ skipped: expect.any(String) });
  expect(
    await db.rows("select connection_id, done_by, proof->'found' as found from ops.privacy_requests"),
  ).toEqual([{ connection_id: null, done_by: 'privacy_purge', found: {} }]);
});

test('a request whose deadline is near raises one alert, which ends with it', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aStore(db);
  await db.query(
    `insert into ops.privacy_requests (brand_id, connection_id, kind, subject, due_at)
     values ($1, $2, 'export', '{}', now() + interval '6 days'), ($1, $2, 'export', '{}', now() + interval '20 days')`,
    [brand.id, connection.id],
  );
  const alerts = () =>
    db.rows('select kind, cause, resolved_at is not null as over from ops.alerts order by id');
  for (let times = 0; times < 2; times++) await runTask(privacyWatch, {}, db);
  expect(await alerts()).toMatchObject([
    { kind: 'privacy', over: false, cause: expect.stringContaining('request 1 (export)') },
  ]);
  expect(await nightshift(['privacy', 'done', '1', '--brand', brand.slug], { env: envOf(db) })).toMatchObject(
    { code: 0 },
  );
  await runTask(privacyWatch, {}, db);
  expect(await alerts()).toMatchObject([{ over: true }]);
});
