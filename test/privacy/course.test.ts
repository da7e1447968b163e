/** How an erasure goes: broken off, twice, of nobody, of somebody with many rows, and beside loads. */
import { expect, test } from 'vitest';
import { quarantinedIds } from '#connectors/kit/stored/stored.ts';
import { findStream } from '#connectors/providers.ts';
import { firstOrders } from '#connectors/shopify/invalidations.ts';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import type { Tx } from '#sql/db/pool.ts';
import { loadItems } from '#sql/load/load.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import type { Item } from '#sql/load/table.ts';
import { SCANNED_MAX } from '#sql/privacy/walk.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { storePage } from '#tasks/store_page.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { aShop, testSealer } from '../support/rows/factory.ts';
import { anOrder, type Place } from '../support/rows/raw_orders.ts';
import { placeOf, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const CUSTOMER = '7012345678901';
const now = new Date('2024-06-01T00:00:00Z');

const load = (tx: Tx, place: Place, items: readonly Item[]) =>
  loadItems(tx, { ...place, tables: orderTables, dependents: [firstOrders], now, sealer: testSealer }, items);
const ofPerson = (id: string, day: string, more: object = {}) =>
  anOrder({ id, at: `2024-05-${day}T12:00:00Z`, customer: CUSTOMER, ...more });

const ORDERS = [
  ofPerson('1', '01'),
  ofPerson('2', '02'),
  ofPerson('3', '02'),
  anOrder({ id: '4', customer: '9' }),
];

const sales = (db: TestDb) =>
  db.rows(`select retailer, day, orders, new_customers, returning_customers, guest_orders, net_sales
           from bi.daily_sales order by 1, 2`);

async function anErasure(db: TestDb) {
  const shop = await aShop(db);
  const place = placeOf(shop);
  await db.transaction((tx) => load(tx, place, ORDERS));
  await rollDirty({ ...shop, db });
  return { shop, place, request: await askErasure(db, place, { customer: CUSTOMER }) };
}

// Each transaction of the job in turn is the last one before the worker is lost; every other run begins where it was.
test('an erasure that breaks off behind any transaction goes on where it was, and ends the same', async () => {
  await using db = await freshDb();
  const { shop, place, request } = await anErasure(db);
  const before = await sales(db);
  let left = 0;
  const breaking = aroundTransactions(db, async (transaction) => {
    if (left-- === 0) throw new Error('the worker is lost');
    return transaction();
  });
  const { brandId } = place;
  let runs = 0;
  for (let isDone = false; !isDone && runs < 200; runs++) {
    left = 3 + runs; // a claim and a begin are transactions too
    isDone = await runTask(privacyErase, { brandId, request }, breaking, { control: db }).then(
      () => true,
      () => false,
    );
  }
  expect(runs).toBeGreaterThan(3);
  expect(await tracesOf(db, brandId, [CUSTOMER])).toEqual([]);
  await rollDirty({ ...shop, db });
  expect(await sales(db)).toEqual(before);
  expect(
    await db.rows(
      "select progress is not null as kept, person, proof->'found' as found from ops.privacy_requests",
    ),
  ).toEqual([{ kept: true, person: null, found: {} }]);
});

test('a second erasure changes nothing, and one of somebody unknown is done all the same', async () => {
  await using db = await freshDb();
  const { place, request } = await anErasure(db);
  const { brandId } = place;
  await runTask(privacyErase, { brandId, request }, db);
  expect(await runTask(privacyErase, { brandId, request }, db)).toMatchObject({
    skipped: expect.any(String),
  });
  const rows = 'select ctid::text, xmin::text, * from raw.shopify_orders order by id';
  const stored = await db.rows(rows);
  const again = await askErasure(db, place, { customer: CUSTOMER });
  expect(await runTask(privacyErase, { brandId, request: again }, db)).toMatchObject({ redacted: 0 });
  const unknown = await askErasure(db, { ...place, connectionId: null }, { email: 'nobody@example.com' });
  expect(await runTask(privacyErase, { brandId, request: unknown }, db)).toMatchObject({ redacted: 0 });
  expect(await db.rows(rows)).toEqual(stored);
  expect(await db.column('select count(distinct pseudonym) from ops.erased_identifiers')).toEqual([2]);
});

test('an order that changes after the erasure comes in redacted, and so does a new one of the person', async () => {
  await using db = await freshDb();
  const { shop, place, request } = await anErasure(db);
  await runTask(privacyErase, { brandId: place.brandId, request }, db);
  const version = '2024-05-20T00:00:00Z';
  const changed = ofPerson('2', '02', { version, sales: [{ total: '12.00', quantity: 1 }] });
  const next = ofPerson('5', '05');
  expect(await db.transaction((tx) => load(tx, place, [changed, next]))).toMatchObject({ changed: 2 });
  expect(await db.transaction((tx) => load(tx, place, [changed, next, ...ORDERS]))).toMatchObject({
    changed: 0,
  });
  expect(await tracesOf(db, place.brandId, [CUSTOMER])).toEqual([]);
  await rollDirty({ ...shop, db });
  // All are of one person still: new on the first day, and never again.
  expect(
    await db.rows(
      'select day, new_customers as new, returning_customers as back from bi.daily_sales order by day',
    ),
  ).toEqual([
    { day: '2024-05-01', new: 2, back: 0 },
    { day: '2024-05-02', new: 0, back: 1 },
    { day: '2024-05-05', new: 0, back: 1 },
  ]);
});

test('an order of the person stays redacted, whomever it is of later', async () => {
  await using db = await freshDb();
  const { place, request } = await anErasure(db);
  await runTask(privacyErase, { brandId: place.brandId, request }, db);
  const version = '2024-05-20T00:00:00Z';
  const again = [
    ofPerson('1', '01', { version, customer: null }),
    ofPerson('2', '02', { version, customer: '8' }),
  ];
  await db.transaction((tx) => load(tx, place, again));
  expect(
    await db.rows(`select id, customer_id, payload->'erased' as erased from raw.shopify_orders order by id`),
  ).toEqual([
    { id: '1', customer_id: null, erased: true },
    { id: '2', customer_id: '8', erased: true },
    { id: '3', customer_id: expect.stringMatching(/^erased:/), erased: true },
    { id: '4', customer_id: '9', erased: null },
  ]);
});

// A run may have asked for the digest before the person was erased.
test('a digest that was made before the erasure and comes later is stored as the pseudonym', async () => {
  await using db = await freshDb();
  const { place } = await anErasure(db);
  const { brandId } = place;
  const email = 'anna@example.com';
  const person = (await personsOf(db, testSealer, brandId))(email) ?? '';
  const request = await askErasure(db, { ...place, connectionId: null }, { email });
  await runTask(privacyErase, { brandId, request }, db);
  await db.transaction((tx) => load(tx, place, [anOrder({ id: '6', at: '2024-05-03T12:00:00Z', person })]));
  expect(await tracesOf(db, brandId, [], email)).toEqual([]);
  expect(await db.column("select person like 'erased:%' from raw.shopify_orders where id = '6'")).toEqual([
    true,
  ]);
});

// The registration waits for it, and what it has stored is redacted with the rest.
test('a load that is under way when the erasure begins leaves nothing behind', async () => {
  await using db = await freshDb();
  const { place, request } = await anErasure(db);
  await using loading = await openTransaction(db);
  await load(loading.tx, place, [ofPerson('6', '06')]);
  const erased = runTask(privacyErase, { brandId: place.brandId, request }, db);
  await untilSomebodyWaitsFor(db, loading);
  await loading.commit();
  await erased;
  expect(
    await db.column("select count(*) from raw.shopify_orders where customer_id like 'erased:%'"),
  ).toEqual([4]);
  expect(await tracesOf(db, place.brandId, [CUSTOMER])).toEqual([]);
});

test('more rows than one statement looks at are redacted in several transactions', async () => {
  await using db = await freshDb();
  const { shop, place, request } = await anErasure(db);
  const count = 2 * SCANNED_MAX + 10;
  await db.query(
    `insert into raw.shopify_orders
     select (o.r).* from (
       select jsonb_populate_record(o, jsonb_build_object('id', (1000 + n)::text, 'name', '#' || n)) as r
       from raw.shopify_orders o, generate_series(1, $1::int) n where o.id = '1') o`,
    [count],
  );
  await db.query('analyze raw.shopify_orders');
  const sizes: number[] = [];
  const counting = aroundTransactions(db, async (transaction) => {
    const erased = async () =>
      Number(
        (await db.column('select count(*) from raw.shopify_orders where payload @> \'{"erased": true}\''))[0],
      );
    const before = await erased();
    const result = await transaction();
    sizes.push((await erased()) - before);
    return result;
  });
  await runTask(privacyErase, { brandId: place.brandId, request }, counting, { control: db });
  expect(Math.max(...sizes)).toBeLessThanOrEqual(SCANNED_MAX);
  expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(count + 3);
  expect(await tracesOf(db, shop.brand.id, [CUSTOMER])).toEqual([]);
});

test('quarantined records, texts of the platform and bodies that wait are cleared, and a late record is not kept', async () => {
  await using db = await freshDb();
  const { place, request } = await anErasure(db);
  const { brandId, connectionId } = place;
  const stream = findStream('shopify.orders');
  const invalid = (key: string) => ({
    ...{ key, reason: 'updatedAt is missing' },
    payload: {
      customer: { id: `gid://shopify/Customer/${CUSTOMER}` },
      note: 'for Anna',
      number: Number(CUSTOMER),
    },
  });
  const quarantine = (key: string) =>
    db.transaction((tx) =>
      storePage(
        tx,
        place,
        { stream, now, distrustsDigests: false, sealer: testSealer },
        { phase: 'changes', items: [], rejected: [invalid(key)] },
      ),
    );
  await quarantine('77');
  await db.query(
    `insert into ops.audit_log (actor, action, brand_id, target, details)
     values ('me', 'sync.run', $1, 'shop', jsonb_build_object('ids', jsonb_build_array($2::text), 'n', $2::bigint))`,
    [brandId, CUSTOMER],
  );
  await db.query(
    `insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body, relay)
     values ($1, $2, 'one', 'orders/create', '{}', convert_to($3, 'UTF8'), 'waiting')`,
    [brandId, connectionId, `{"customer":{"id":${CUSTOMER}}}`],
  );
  await runTask(privacyErase, { brandId, request }, db);
  await quarantine('78');
  expect(await tracesOf(db, brandId, [CUSTOMER, 'anna'])).toEqual([]);
  expect(await db.rows('select row_key, payload from ops.rejected_rows order by 1')).toEqual([
    { row_key: '77', payload: { erased: true } },
    { row_key: '78', payload: { erased: true } },
  ]);
  const pseudonym = (await db.column('select pseudonym from ops.erased_identifiers'))[0];
  expect(await db.column("select details from ops.audit_log where action = 'sync.run'")).toEqual([
    { ids: [pseudonym], n: pseudonym },
  ]);
  expect(await db.rows('select relay, length(body) as bytes from ops.webhook_deliveries')).toEqual([
    { relay: 'refused', bytes: 0 },
  ]);
});

test('a quarantined customer is known by the pseudonym, and one that came again under it takes its place', async () => {
  await using db = await freshDb();
  const { place, request } = await anErasure(db);
  const { brandId, connectionId } = place;
  const reject = (key: string) =>
    db.transaction((tx) =>
      rejectRows(tx, { brandId, connectionId, stream: 'shopify.customers' }, [
        { key, reason: 'no name', payload: {} },
      ]),
    );
  await reject(CUSTOMER);
  await runTask(privacyErase, { brandId, request }, db);
  const keys = () => db.column('select row_key from ops.rejected_rows');
  expect(await keys()).toEqual([expect.stringMatching(/^erased:/)]);
  const owner = { connection: { brandId, id: connectionId }, db };
  expect(await quarantinedIds(owner, 'shopify.customers', 10)).toEqual([]);
  await reject(CUSTOMER);
  const again = await askErasure(db, place, { customer: CUSTOMER });
  await runTask(privacyErase, { brandId, request: again }, db);
  expect(await keys()).toEqual([expect.stringMatching(/^erased:/)]);
});

test('a delivery that is not loaded yet keeps the request open until it is', async () => {
  await using db = await freshDb();
  const { place, request } = await anErasure(db);
  const { brandId, connectionId } = place;
  await db.query(
    `insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body, rows_of)
     values ($1, $2, 'one', 'events', '{}', convert_to($3, 'UTF8'), 'sendgrid.events')`,
    [brandId, connectionId, `[{"customer":"${CUSTOMER}"}]`],
  );
  const run = () => runTask(privacyErase, { brandId, request }, db);
  await expect(run()).rejects.toMatchObject({ code: 'NS_PERSON_LEFT', verdict: 'retry' });
  expect(await db.column("select proof->'found' from ops.privacy_requests where done_at is null")).toEqual([
    { 'ops.webhook_deliveries': 1 },
  ]);
  await db.query("update ops.webhook_deliveries set loaded_at = now(), body = ''");
  expect(await run()).toMatchObject({ searched: expect.any(Number) });
});
