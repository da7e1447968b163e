/** Visits that Shopify knows some time after the order, and without counting that as a change of it. */
import { expect, test } from 'vitest';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb } from '../support/db/db.ts';
import { at, few, firstLoad, order, served } from '../support/providers/shop_account.ts';
import { aShopOf, type ShopUnderTest } from '../support/providers/shopify.ts';

const journey = (ready: boolean, campaign?: string) => ({
  customerJourneySummary: {
    ready,
    lastVisit: campaign
      ? { occurredAt: '2026-11-20T04:00:00Z', utmParameters: { source: 'ads', campaign } }
      : null,
  },
});
/** Its `updatedAt` stays where it is. */
const placed = (id: number, ...of: Parameters<typeof journey>) =>
  order(id, '05:00', { processedAt: '2026-11-20T05:00:00Z', ...journey(...of) });
const waiting = (count: number) => Array.from({ length: count }, (_, index) => placed(index + 1, false));
const serving = (orders: object[]) => ({ ...few, 'orders.ndjson': orders });

async function askedBy(shop: ShopUnderTest, now: { now: string }) {
  const earlier = (await shop.asked()).length;
  const tally = await shop.syncAll(now);
  expect(tally).not.toHaveProperty('incomplete');
  return { tally, asked: (await shop.asked()).slice(earlier) };
}

test('visits that are known later come an hour later, to the tenant whose order it is', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, serving(waiting(2)), served(6));
  await using other = await aShopOf(db, serving(waiting(2)), served(6));
  for (const one of [shop, other]) await firstLoad(one);
  await db.query('delete from ops.marks');
  const campaigns = ({ brandId }: ShopUnderTest) =>
    db.column('select utm_campaign from raw.shopify_orders where brand_id = $1 order by id', [brandId]);
  await shop.serve(serving([placed(1, true, 'spring'), placed(2, false)]), served(7));
  const { tally, asked } = await askedBy(shop, at(7));
  expect(tally).toMatchObject({ read: 1, changed: 1 });
  expect(asked).toEqual(['Access', 'Look', 'JourneysById', 'OrdersById']);
  await other.syncAll(at(7));
  expect(await campaigns(shop)).toEqual(['spring', null]);
  expect(await campaigns(other)).toEqual([null, null]);
  expect(await db.column('select distinct brand_id from ops.marks')).toEqual([shop.brandId]);
  // What is still not known costs a quiet hour the third of its requests, and no more often.
  const tooEarly = await askedBy(shop, { now: '2026-11-20T07:40:00Z' });
  expect(tooEarly.asked).toEqual(['Access', 'Look']);
  expect(await askedBy(shop, at(8))).toMatchObject({
    tally: { read: 0 },
    asked: ['Access', 'Look', 'JourneysById'],
  });
  await shop.serve(serving([placed(1, true, 'spring'), placed(2, true)]), served(9));
  expect(await askedBy(shop, at(9))).toMatchObject({ tally: { changed: 1 } });
  expect((await askedBy(shop, at(10))).asked).toEqual(['Access', 'Look']);
});

test('visits that are never known are asked for 250 at once, and given up two days after the order', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, serving(waiting(251)), served(6));
  await firstLoad(shop);
  const asks = async (now: string) =>
    (await askedBy(shop, { now })).asked.filter((name) => name === 'JourneysById').length;
  expect(await asks('2026-11-22T05:00:00Z')).toBe(2);
  expect(await asks('2026-11-22T06:00:00Z')).toBe(0);
  expect(await db.column('select state from ops.positions where stream = $1', ['shopify.orders'])).toEqual([
    'ok',
  ]);
});

test('a run that is killed between two of its pages leaves the rest to the next one', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, serving(waiting(12)), served(6));
  await firstLoad(shop);
  await shop.serve(serving(waiting(12).map((_, index) => placed(index + 1, true, 'spring'))), served(7));
  const credited = () =>
    db.column('select count(*)::int from raw.shopify_orders where utm_campaign is not null');
  const dying = aroundTransactions(db, async (transaction) => {
    if ((await credited())[0] === 10) throw new Error('the machine is gone');
    return transaction();
  });
  await expect(shop.sync('shopify.orders', at(7), dying)).rejects.toThrow('the machine is gone');
  expect(await credited()).toEqual([10]);
  expect(await shop.sync('shopify.orders', at(7))).toMatchObject({ read: 2, changed: 2 });
  expect(await credited()).toEqual([12]);
});
