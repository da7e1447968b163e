/** Two brands with the same ids of providers, and jobs for all, for tests of removals. */
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { aConnection, aRetailer, aShop, type Shop, TEST_KEYS } from '../rows/factory.ts';
import { aBooking, aCharge, loadMoney } from '../rows/payments.ts';
import { anOrder, loadOrders, type Place } from '../rows/raw_orders.ts';
import { placeOf, rollDirty } from '../rows/rolled.ts';
import type { TestDb } from './db.ts';
import type { Ids } from './traces.ts';

export const now = new Date('2024-06-01T00:00:00Z');
export const env = ({ url }: TestDb) => ({ DATABASE_URL: url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });
export const idsOf = ({ brand, retailer, connection }: Shop): Ids => ({
  ...{ brandId: brand.id, retailerId: retailer.id, connectionId: connection.id },
});

/** The same ids everywhere; days and amounts differ, so that a figure tells whose rows it is made of. */
export async function load(db: TestDb, place: Place, day: string, total: string): Promise<void> {
  const at = `${day}T12:00:00Z`;
  const shared = '2024-05-01T12:00:00Z';
  await db.transaction(async (tx) => {
    await loadOrders(tx, place, [
      anOrder({
        id: '1',
        at,
        customer: 'c',
        sales: [{ total, quantity: 1 }],
        payments: [{ id: '1', at, amount: total }],
      }),
      anOrder({ id: '2', at: shared, customer: 'c', sales: [{ total, quantity: 2 }] }),
    ]);
    await loadMoney(tx, place, [
      aBooking({ id: 'txn_1', at, amount: total }),
      aBooking({ id: 'txn_2', amount: total }),
    ]);
    await loadMoney(tx, place, [aCharge({ id: 'ch_1', at, status: 'failed', amount: total })]);
  });
}

function queueJobs(db: TestDb, { brandId, retailerId, connectionId }: Ids): Promise<string> {
  return db.transaction(async (tx) => {
    await enqueue(tx, rollup, { brandId, retailerId });
    return enqueue(tx, syncStream, { brandId, connectionId, stream: 'shopify.orders' });
  });
}

/** A brand with two shops of one retailer and a third of another, and a brand that has the same ids. */
export async function twoBrands(db: TestDb) {
  const [one, other] = [await aShop(db), await aShop(db)];
  const { id: brandId } = one.brand;
  const second = { ...one, connection: await aConnection(db, { brandId, retailerId: one.retailer.id }) };
  const retailer = await aRetailer(db, { brandId });
  const third = { ...one, retailer, connection: await aConnection(db, { brandId, retailerId: retailer.id }) };
  const shops = { one, second, third, other };
  const days = { one: '2024-05-02', second: '2024-05-03', third: '2024-05-04', other: '2024-05-02' };
  for (const [name, shop] of Object.entries(shops)) {
    await load(db, placeOf(shop), days[name as keyof typeof days], '12.34');
    await queueJobs(db, idsOf(shop));
  }
  for (const shop of [one, third, other]) await rollDirty({ ...shop, db });
  return shops;
}
