/** A connection that is removed, and added again: who is erased stays so, and what was asked stays asked. */
import { expect, test } from 'vitest';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { loadItems } from '#sql/load/load.ts';
import { storeRequest } from '#sql/privacy/requests.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { privacyPurge } from '#tasks/privacy/purge.ts';
import { nightshift } from '../support/cli.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { env } from '../support/db/removal.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { aConnection, aShop, type Shop, testSealer } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const CUSTOMER = '7012345678901';
const ORDER = anOrder({ id: '1', customer: CUSTOMER });

async function askClosing(db: TestDb, shop: Shop): Promise<number> {
  const { brandId, connectionId } = placeOf(shop);
  const asked = { brandId, connectionId, subject: { shop: '1' }, source: 'provider', dueDays: 30 } as const;
  const { id } = await db.transaction((tx) =>
    storeRequest(tx, testSealer, { ...asked, kind: 'erase_account' }),
  );
  return id;
}

test('a shop that is removed and added again brings no erased customer back, and its requests stay', async () => {
  await using db = await freshDb();
  const shop = await aShop(db);
  const { brand, connection } = shop;
  const place = placeOf(shop);
  const { brandId } = place;
  await db.transaction((tx) => loadOrders(tx, place, [ORDER]));
  const done = await askErasure(db, place, { customer: CUSTOMER });
  await runTask(privacyErase, { brandId, request: done }, db);
  const open = await askErasure(db, place, { customer: CUSTOMER, email: 'anna@example.com' });
  const closing = await askClosing(db, shop);

  const words = ['connections', 'remove', connection.name, '--brand', brand.slug, '--yes', connection.name];
  expect(await nightshift(words, { env: env(db) })).toMatchObject({ code: 0 });
  expect(
    await db.rows('select id, connection_id, done_at is null as open from ops.privacy_requests order by id'),
  ).toEqual([
    { id: done, connection_id: null, open: false },
    { id: open, connection_id: null, open: true },
    { id: closing, connection_id: null, open: false },
  ]);
  expect(await runTask(privacyErase, { brandId, request: open }, db)).toMatchObject({
    searched: expect.any(Number),
  });

  const { account } = connection;
  const again = await aConnection(db, { brandId, retailerId: shop.retailer.id, account });
  const readded = { ...placeOf({ ...shop, connection: again }), now: new Date('2024-06-01T00:00:00Z') };
  await db.transaction((tx) =>
    loadItems(tx, { ...readded, tables: orderTables, sealer: testSealer }, [ORDER]),
  );
  expect(await db.column("select customer_id like 'erased:%' from raw.shopify_orders")).toEqual([true]);
  expect(await tracesOf(db, brandId, [CUSTOMER])).toEqual([]);
});

test('a purge that breaks off behind any transaction ends the same, and spares an account that is there again', async () => {
  await using db = await freshDb();
  const shop = await aShop(db);
  const { brandId } = placeOf(shop);
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), [ORDER]));
  const request = await askClosing(db, shop);
  let left = 0;
  const breaking = aroundTransactions(db, async (transaction) => {
    if (left-- === 0) throw new Error('the worker is lost');
    return transaction();
  });
  let runs = 0;
  for (let isDone = false; !isDone && runs < 200; runs++) {
    left = 3 + runs;
    isDone = await runTask(privacyPurge, { brandId, request }, breaking, { control: db }).then(
      () => true,
      () => false,
    );
  }
  expect(await db.rows("select done_by, proof->'found' as found from ops.privacy_requests")).toEqual([
    { done_by: 'privacy_purge', found: {} },
  ]);
  expect(await db.column('select count(*) from app.connections')).toEqual([0]);

  const again = await aConnection(db, { brandId, retailerId: shop.retailer.id });
  await db.query(
    "update ops.privacy_requests set done_at = null, done_by = null, progress = jsonb_build_object('purging', $1::text)",
    [again.id],
  );
  expect(await runTask(privacyPurge, { brandId, request }, db)).toMatchObject({ purged: 0 });
  expect(await db.column('select id from app.connections')).toEqual([again.id]);
});
