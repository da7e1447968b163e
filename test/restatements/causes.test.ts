/** What is logged of days that were final, and why it says they changed: by hand. */
import { expect, test } from 'vitest';
import { findStream } from '#connectors/providers.ts';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { rollup } from '#tasks/rollup.ts';
import { storePage } from '#tasks/store_page.ts';
import { aClick, aSeller } from '../support/campaigns.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { readToNow, restatementsOf } from '../support/restatements.ts';
import { aConnection, aRetailer, aShop, type Shop, testSealer } from '../support/rows/factory.ts';
import { anOrder, loadOrders, type RawOrder } from '../support/rows/raw_orders.ts';
import { placeOf, roll, rollBrand, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const DAY = '2024-05-01';
const first = { id: '1', at: `${DAY}T12:00:00Z`, sales: [{ total: '10.00', quantity: 1 }] };
const back = { reason: 'REFUND', action: 'RETURN', at: `${DAY}T18:00:00Z`, quantity: -1, total: '-4.00' };
const later = (order: Partial<RawOrder>, version = 2) =>
  anOrder({ ...first, version: `2024-06-0${version}T00:00:00Z`, ...order });

/** One order of a day that was told as final. */
async function aFinalShop(db: TestDb, order: RawOrder = first) {
  const shop = { ...(await aShop(db)), db };
  await roll(shop, { orders: [anOrder(order)] });
  expect(await restatementsOf(db, shop.brand.id)).toEqual([]);
  await readToNow(db, shop.brand.id);
  await rollBrand(shop);
  await rollDirty(shop);
  return shop;
}

const publish = (db: TestDb, usd: string) =>
  db.transaction((tx) => {
    const rates = new Map([
      ['GBP', '0.9'],
      ['USD', usd],
    ]);
    const days = [{ day: DAY, rates, isWhole: false, doubts: [] }];
    return storeRates(tx, { days, source: 'test', now: new Date(), actor: 'test' });
  });

const cellsOf = async ({ db, brand }: Shop & { db: TestDb }, figure = 'daily_sales') =>
  (await restatementsOf(db, brand.id, figure)).map(({ day, column_name, old, new: now, cause }) =>
    [day, column_name, old, now, cause].join(' '),
  );

test('a refund, an edit and an order that come after their day was final; the same again says nothing', async () => {
  await using db = await freshDb();
  const [shop, other] = [await aFinalShop(db), await aFinalShop(db)];
  const tally = await roll(shop, { orders: [later({ sales: [...first.sales, back] })] });
  expect(tally).toMatchObject({ restated: expect.any(Number) });
  const refunded = [`${DAY} returns 0 4 late_refund`, `${DAY} units_returned 0 1 late_refund`];
  expect(await cellsOf(shop)).toEqual(refunded);
  await roll(shop, { orders: [later({ sales: [...first.sales, back] }, 3)] });
  expect(await cellsOf(shop)).toEqual(refunded);

  await roll(shop, { orders: [later({ sales: [{ total: '15.00', quantity: 1 }, back] }, 4)] });
  const edited = [`${DAY} gross_sales 10 15 edited_order`, `${DAY} ordered_sales 10 15 edited_order`];
  expect((await cellsOf(shop)).slice(2).sort()).toEqual(edited);
  await roll(shop, { orders: [anOrder({ ...first, id: '2' })] });
  expect((await cellsOf(shop)).slice(4)).toContain(`${DAY} orders 1 2 late_order`);
  expect(await cellsOf(shop, 'daily_country_sales')).toContain(`${DAY} returns 0 4 late_refund`);
  // Nothing of the other tenant, whose order has the same id.
  expect(await restatementsOf(db, other.brand.id)).toEqual([]);
});

test('a day that was not read to its end, or has no figures yet, is no restatement; one without sales before is', async () => {
  await using db = await freshDb();
  const shop = await aFinalShop(db);
  await roll(shop, { orders: [anOrder({ id: '2', at: '2024-04-30T12:00:00Z' })] }); // before the first row
  await roll(shop, { orders: [anOrder({ id: '3', at: new Date().toISOString() })] }); // today
  expect(await cellsOf(shop)).toEqual([]);
  await roll(shop, { orders: [anOrder({ id: '4', at: '2024-05-03T12:00:00Z' })] });
  expect(await cellsOf(shop)).toContain('2024-05-03 gross_sales 0 10 late_order');
  const gone = { id: '1', deletedAt: new Date('2024-07-01T00:00:00Z') };
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), [], [gone]));
  await rollDirty(shop);
  expect(await cellsOf(shop)).toContain(`${DAY} gross_sales 10 0 edited_order`);
});

test('a run that dies logs nothing, and the next one each change once', async () => {
  await using db = await freshDb();
  const shop = await aFinalShop(db);
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), [later({ sales: [...first.sales, back] })]));
  const target = { brandId: shop.brand.id, retailerId: shop.retailer.id, now: new Date() };
  const dying = db.transaction(async (tx) => {
    const marks = await claimMarks(tx, target.brandId, target.retailerId, { days: 60, objects: 60 });
    expect(await runMarked(tx, rollups, { ...target, marks })).toMatchObject({
      restated: expect.any(Number),
    });
    throw new Error('died');
  });
  await expect(dying).rejects.toThrow('died');
  expect(await cellsOf(shop)).toEqual([]);
  await rollDirty(shop);
  expect(await cellsOf(shop)).toHaveLength(2);
});

test('a rebuild without a change logs nothing, one with another outcome blames the definition, many cells are one sum', async () => {
  await using db = await freshDb();
  const shop = await aFinalShop(db);
  const range = { brandId: shop.brand.id, retailerId: shop.retailer.id, from: DAY, to: '2024-05-02' };
  await runTask(rollup, range, db);
  expect(await cellsOf(shop)).toEqual([]);
  await db.query('update agg.daily_sales set units = 7 where brand_id = $1', [shop.brand.id]);
  await runTask(rollup, range, db);
  expect(await cellsOf(shop)).toEqual([`${DAY} units 7 1 changed_definition`]);

  await db.transaction((tx) =>
    loadOrders(tx, placeOf(shop), [
      anOrder({ ...first, id: '2', at: '2024-05-03T12:00:00Z' }),
      later({ sales: [...first.sales, back] }),
    ]),
  );
  await db.transaction(async (tx) => {
    const target = { brandId: shop.brand.id, retailerId: shop.retailer.id, now: new Date() };
    const marks = await claimMarks(tx, target.brandId, target.retailerId, { days: 60, objects: 60 });
    await runMarked(tx, rollups, { ...target, marks, loggedMax: 1 });
  });
  const sums = `select day::text, last_day::text, key, difference::text, cause, cells from bi.restatements
                where brand_id = $1 and figure = 'daily_sales' and column_name in ('gross_sales', 'returns') order by 4`;
  expect(await db.rows(sums, [shop.brand.id])).toEqual([
    { day: '2024-05-03', last_day: '2024-05-03', key: null, difference: '10', cause: 'late_order', cells: 1 },
    { day: DAY, last_day: DAY, key: null, difference: '4', cause: 'late_refund', cells: 1 },
  ]);
});

test('rates, another owner, another zone: who or what changed it is said, and goes with its retailer', async () => {
  await using db = await freshDb();
  await publish(db, '1.2');
  const late = { ...first, at: `${DAY}T23:30:00Z`, currency: 'USD' }; // the 2nd in London
  const shop = await aFinalShop(db, late);
  const on = '2024-05-02';
  expect(await cellsOf(shop)).toEqual([]);
  await publish(db, '1.5');
  await rollDirty(shop);
  expect(await cellsOf(shop)).toEqual([`${on} fx_rate 0.75 0.6 revised_rate`]);

  const { id: retailerId } = await aRetailer(db, { brandId: shop.brand.id });
  const tables = [...orderTables];
  const which = {
    brandId: shop.brand.id,
    connectionId: shop.connection.id,
    tables,
    now: new Date(),
    actor: 'test',
  };
  await db.transaction((tx) => moveConnection(tx, { ...which, retailerId }));
  for (const owner of [shop.retailer.id, retailerId, null])
    await runTask(rollup, { brandId: shop.brand.id, retailerId: owner }, db);
  const moved = await restatementsOf(db, shop.brand.id, 'daily_sales');
  expect(moved.filter(({ column_name }) => column_name === 'gross_sales')).toEqual([
    {
      retailer: shop.retailer.slug,
      figure: 'daily_sales',
      day: on,
      column_name: 'gross_sales',
      old: '10',
      new: '0',
      cause: 'mapping',
    },
    // The other one is told what this one was: nothing is lost.
    expect.objectContaining({ day: on, old: '0', new: '10', cause: 'mapping' }),
  ]);

  await db.query('delete from ops.restatements where brand_id = $1', [shop.brand.id]);
  await db.transaction((tx) => changeTimeZone(tx, 'UTC', { ...which, tables }));
  for (const owner of [shop.retailer.id, retailerId, null])
    await runTask(rollup, { brandId: shop.brand.id, retailerId: owner }, db);
  const zoned = await restatementsOf(db, shop.brand.id, 'daily_sales');
  expect(new Set(zoned.map(({ cause }) => cause))).toEqual(new Set(['changed_definition']));
  expect(zoned).toContainEqual(
    expect.objectContaining({ day: on, column_name: 'gross_sales', old: '10', new: '0' }),
  );
  // Also on the day before the first one: another zone loses nothing.
  expect(zoned).toContainEqual(
    expect.objectContaining({ day: DAY, column_name: 'gross_sales', old: '0', new: '10' }),
  );
});

test('of one day each row says its own cause, of a rebuilt range each figure what came; a first load comes with its connection', async () => {
  await using db = await freshDb();
  const order = { ...first, customer: '7', country: 'FR' };
  const shop = await aFinalShop(db, order);
  const range = { brandId: shop.brand.id, retailerId: shop.retailer.id, from: DAY, to: DAY };
  const refunded = later({ ...order, sales: [...first.sales, back] });
  await roll(shop, { orders: [refunded, anOrder({ ...first, id: '2', country: 'GB' })] });
  const byCountry = await db.rows(
    `select distinct key ->> 'country' as country, cause from bi.restatements where figure = 'daily_country_sales' order by 1`,
  );
  expect(byCountry).toEqual([
    { country: 'FR', cause: 'late_refund' },
    { country: 'GB', cause: 'late_order' },
  ]);

  await db.query('delete from ops.restatements');
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), [anOrder({ ...order, id: '3' })]));
  await runTask(rollup, range, db);
  await rollDirty(shop);
  const causes = 'select distinct cause from bi.restatements where figure = $1';
  for (const figure of ['daily_sales', 'customer_cohorts'])
    expect(await db.column(causes, [figure]), figure).toEqual(['late_order']);

  await db.query('delete from ops.restatements');
  const { id: connectionId } = await aConnection(db, { ...range, name: 'second' });
  const { brandId } = range;
  await db.transaction((tx) => {
    const storing = {
      ...{ stream: findStream('shopify.orders'), now: new Date() },
      ...{ distrustsDigests: false, sealer: testSealer },
    };
    const items = [anOrder({ ...order, id: '4' })];
    return storePage(tx, { brandId, connectionId }, storing, { phase: 'first_load', items, rejected: [] });
  });
  await rollDirty(shop);
  for (const figure of ['daily_sales', 'daily_country_sales', 'customer_cohorts'])
    expect(await db.column(causes, [figure]), figure).toEqual(['mapping']);
});

test('a click and spend that come late change what campaigns were told', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  const { brandId } = seller;
  const { id } = await seller.campaign('spring', [['email_category', 'news']]);
  await seller.orders([{ ...first, person: 'ann@x.example' }]);
  await seller.roll();
  await readToNow(db, brandId);
  await seller.roll();
  expect(await restatementsOf(db, brandId)).toEqual([]);
  await seller.mailed([aClick('c1', 'ann@x.example', `${DAY}T10:00:00Z`)]);
  const spent = [{ campaignId: id, day: DAY, currency: 'GBP', source: 'ads', amount: '3' }];
  await seller.roll();
  const touched = await restatementsOf(db, brandId, 'daily_campaigns');
  expect(
    touched.map(({ column_name, old, new: now, cause }) => [column_name, old, now, cause].join(' ')).sort(),
  ).toEqual([
    'attributed_orders 0 1 added_touch',
    'attributed_orders 1 0 added_touch',
    'attributed_revenue 0 10 added_touch',
    'attributed_revenue 10 0 added_touch',
    'credited_orders 0 1 added_touch',
    'credited_revenue 0 10 added_touch',
  ]);
  await db.transaction((tx) => storeSpend(tx, { brandId, target: 'test', actor: 'test' }, spent));
  await seller.roll();
  expect((await restatementsOf(db, brandId, 'daily_campaigns')).at(-1)).toMatchObject({
    column_name: 'spend',
    old: '0',
    new: '3',
    cause: 'changed_spend',
  });
  await seller.orders([
    { ...first, version: '2024-07-01T00:00:00Z', person: 'ann@x.example', sales: [...first.sales, back] },
  ]);
  await seller.roll();
  const refunded = (await restatementsOf(db, brandId, 'daily_campaigns')).slice(7);
  expect(
    refunded.map(({ column_name, old, new: now, cause }) => [column_name, old, now, cause].join(' ')).sort(),
  ).toEqual(['attributed_revenue 10 6 late_refund', 'credited_revenue 10 6 late_refund']);
});
