/** What changes figures past the rollups: closed ones stand still all the same, and the difference is booked. */
import { expect, test } from 'vitest';
import { claimMarks } from '#sql/dirty/claim.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { rollup } from '#tasks/rollup.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { env } from '../support/db/removal.ts';
import { aConnection, aRetailer, type Shop, twoShops } from '../support/rows/factory.ts';
import { bookedSums, closeAnyway, frozen, presentSums } from '../support/rows/periods.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf, roll, rollBrand, rollDirty } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';
import { aStore, runSnapshot } from '../support/snapshots/snapshots.ts';

const MAY = '2024-05-01';
const order = (id: string, total: string, version = '2024-05-02T00:00:00Z') =>
  anOrder({ id, at: `${MAY}T12:00:00Z`, version, customer: 'c', sales: [{ total, quantity: 1 }] });

/** Two brands alike, each with an order in May, which is closed. */
async function twoClosed(db: TestDb): Promise<[Shop, Shop]> {
  const shops = await twoShops(db);
  for (const shop of shops) {
    await roll({ ...shop, db }, { orders: [order('1', '10.00')] });
    await rollBrand({ ...shop, db });
  }
  return shops;
}

async function assertAddsUp(db: TestDb, { brand }: Shop): Promise<void> {
  expect(await bookedSums(db, brand.id)).toEqual(await presentSums(db, brand.id));
}

const salesOf = (db: TestDb, brandId: string) =>
  db.rows(
    'select booked_in::text, net_sales::text as net from bi.sales_adjustments where brand_id = $1 order by 1, retailer',
    [brandId],
  );

test('a change is booked in the month of its day in the zone of the brand, never in one that is closed', async () => {
  await using db = await freshDb();
  const [shop] = await twoClosed(db); // in London
  const { id: brandId } = shop.brand;
  const retailerId = shop.retailer.id;
  await closeAnyway(db, { brandId, period: MAY });
  const change = async (total: string, at: string) => {
    const now = new Date(at);
    const version = `2024-08-01T00:00:${total}Z`;
    await db.transaction((tx) => loadOrders(tx, placeOf(shop), [order('1', total, version)]));
    await db.transaction(async (tx) => {
      const marks = await claimMarks(tx, brandId, retailerId, { days: 60, objects: 60 });
      await runMarked(tx, rollups, { brandId, retailerId, now, marks });
    });
  };
  await change('11.00', '2024-05-31T22:59:59Z'); // a clock that is behind
  await change('13.00', '2024-07-31T22:59:59Z');
  await change('17.00', '2024-07-31T23:00:00Z'); // 1 August in London
  await closeAnyway(db, { brandId, period: '2024-06-01' });
  await closeAnyway(db, { brandId, period: '2024-07-01' });
  await change('25.00', '2024-06-30T12:00:00Z');
  expect(await salesOf(db, brandId)).toEqual([
    { booked_in: '2024-06-01', net: '1' },
    { booked_in: '2024-07-01', net: '2' },
    { booked_in: '2024-08-01', net: '12' },
  ]);
  await assertAddsUp(db, shop);
});

test('figures that are deleted and made from nothing leave closed ones as they were, and nothing booked', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoClosed(db);
  const { id: brandId } = shop.brand;
  for (const { brand } of [shop, other]) await closeAnyway(db, { brandId: brand.id, period: MAY });
  const stood = await frozen(db, brandId);
  for (const { writes } of rollups) await db.query(`delete from ${writes} where brand_id = $1`, [brandId]);
  const range = { brandId, from: '2024-05-01', to: '2024-05-31' };
  await runTask(rollup, { ...range, retailerId: shop.retailer.id }, db);
  await runTask(rollup, { ...range, retailerId: null }, db);
  expect(await frozen(db, brandId)).toEqual(stood);
  await assertAddsUp(db, shop);
  expect(
    await db.rows(
      'select figure, column_name, sum(difference)::text from bi.period_adjustments group by 1, 2 having sum(difference) <> 0',
    ),
  ).toEqual([]);
  await assertAddsUp(db, other);
});

test('a connection that is removed takes its sales along as an adjustment, a retailer also what was frozen of it', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoClosed(db);
  const { brand, retailer } = shop;
  const second = await aRetailer(db, { brandId: brand.id });
  const connection = await aConnection(db, { brandId: brand.id, retailerId: second.id });
  const there = { ...shop, retailer: second, connection, db };
  await roll(there, { orders: [order('1', '5.00')] });
  await rollBrand(there);
  for (const { id: brandId } of [brand, other.brand]) await closeAnyway(db, { brandId, period: MAY });
  const remove = (noun: string, name: string) =>
    nightshift([noun, 'remove', name, '--brand', brand.slug, '--yes', name], { env: env(db) });

  expect(await remove('connections', shop.connection.name)).toMatchObject({ code: 0 });
  await rollDirty({ ...shop, db });
  await rollBrand({ ...shop, db });
  expect(await salesOf(db, brand.id)).toMatchObject([{ net: '-10' }]);
  await assertAddsUp(db, shop);

  expect(await remove('retailers', second.slug)).toMatchObject({ code: 0 });
  await rollBrand({ ...shop, db });
  await assertAddsUp(db, shop);
  const retailers = 'select distinct retailer from bi.closed_sales where brand_id = $1';
  expect(await db.column(retailers, [brand.id])).toEqual([retailer.slug]);
  await assertAddsUp(db, other);

  expect(
    await nightshift(['brands', 'remove', brand.slug, '--yes', brand.slug], { env: env(db) }),
  ).toMatchObject({
    code: 0,
  });
  for (const table of ['period_closings', 'closed_figures', 'closed_counts', 'period_adjustments'])
    expect(
      await db.column(`select distinct brand_id from ops.${table} where brand_id <> $1`, [other.brand.id]),
    ).toEqual([]);
  expect(await frozen(db, other.brand.id)).not.toEqual([]);
});

test('a restore of figures that were otherwise is booked, and takes no closing back', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const [shop, other] = await twoClosed(db);
  const { id: brandId, slug } = shop.brand;
  await db.query('delete from ops.marks');
  const { snapshot } = await runSnapshot(db, place, brandId);
  await roll({ ...shop, db }, { orders: [order('2', '7.00')] });
  await rollBrand({ ...shop, db });
  for (const { brand } of [shop, other]) await closeAnyway(db, { brandId: brand.id, period: MAY });
  const stood = await frozen(db, brandId);
  await db.query('delete from ops.marks');
  const restored = await nightshift(
    ['snapshots', 'restore', String(snapshot), '--brand', slug, '--into', 'live', '--yes', slug],
    { env: { ...env(db), NIGHTSHIFT_SNAPSHOT_DIR: place.dir } },
  );
  expect(restored).toMatchObject({ code: 0 });
  await rollDirty({ ...shop, db });
  await rollBrand({ ...shop, db });
  expect(await frozen(db, brandId)).toEqual(stood);
  expect(await salesOf(db, brandId)).toMatchObject([{ net: '-7' }]);
  await assertAddsUp(db, shop);
  await assertAddsUp(db, other);
});
