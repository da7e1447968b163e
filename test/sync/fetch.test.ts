/** Objects read by their ids, as a webhook or a repair names them: no position moves, and nothing else is asked for. */
import { expect, test } from 'vitest';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { freshDb } from '../support/db/db.ts';
import { aShopOf } from '../support/providers/shopify.ts';
import { charge, KEY } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { testSealer } from '../support/rows/factory.ts';

const POSITIONS = 'select position from ops.positions';

test('of an account the named objects are read, and one that is gone is deleted', async () => {
  await using db = await freshDb();
  const [first, second, third] = ['ch_1', 'ch_2', 'ch_3'].map((id) => charge(id, { amount: 1_000 }));
  await using account = await anAccountOf(db, { charges: [first, second, third] });
  await using other = await anAccountOf(db, { charges: [first, second, third] });
  await account.sync('charges');
  await other.sync('charges');
  const before = await db.column(POSITIONS);
  const changed = ['ch_1', 'ch_3'].map((id) => charge(id, { amount: 2_000 }));
  await account.serve({ charges: changed });
  const earlier = (await account.asked()).length;
  expect(await account.sync('charges', { ids: ['ch_1', 'ch_2'] })).toMatchObject({ changed: 1, deleted: 1 });
  expect((await account.asked()).slice(earlier).map((path) => path.split('?')[0])).toEqual([
    '/v1/charges/ch_1',
    '/v1/charges/ch_2',
    '/v1/account', // nobody told that ch_2 is gone
  ]);
  expect(await account.rows('charges', 'id, amount, deleted_at is null as here')).toEqual([
    { id: 'ch_1', amount: '20', here: true },
    { id: 'ch_2', amount: '10', here: false },
    { id: 'ch_3', amount: '10', here: true },
  ]);
  expect(await other.rows('charges', 'amount')).toEqual([1, 2, 3].map(() => ({ amount: '10' })));
  expect(await db.column(POSITIONS)).toEqual(before);
});

test('a key of another account that may not say so deletes nothing', async () => {
  await using db = await freshDb();
  const charges = ['ch_1', 'ch_2', 'ch_3', 'ch_4'].map((id) => charge(id, { amount: 1_000 }));
  const silent = (key: string) => ({ key: { key, permissions: ['rak_charge_read', 'rak_event_read'] } });
  const files = { charges, 'stripe/acct_other/charges.ndjson': [charge('ch_9', {})], events: [] };
  const scenario = { stripe: { acct_acme: silent(KEY), acct_other: silent('rk_test_other') } };
  await using account = await anAccountOf(db, files, scenario);
  await account.sync('charges');
  const which = { brandId: account.brandId, connectionId: account.connectionId };
  await db.transaction((tx) => replaceSecret(tx, testSealer, which, 'rk_test_other'));
  const tally = await account.sync('charges', { ids: ['ch_1', 'ch_2'] });
  expect(tally).toMatchObject({ deleted: 0, incomplete: expect.stringContaining('another account') });
  expect(await account.rows('charges', 'deleted_at')).toEqual(charges.map(() => ({ deleted_at: null })));
});

test('of a shop the named objects are read whole; one that is not shown is left to its deletion', async () => {
  await using db = await freshDb();
  const order = (id: number, name: string, updated: string) => ({
    ...{ id, name, processedAt: '2026-11-10T10:00:00Z', updatedAt: `2026-11-20T${updated}Z` },
    lineItems: [{ id: id * 10, originalUnitPriceSet: '10.00' }],
  });
  const old = [1, 2, 3].map((id) => order(id, 'old', '01:00:00'));
  await using shop = await aShopOf(db, { 'orders.ndjson': old });
  await using other = await aShopOf(db, { 'orders.ndjson': old });
  await shop.sync('shopify.orders');
  await other.sync('shopify.orders');
  const before = await db.column(POSITIONS);
  await shop.serve({ 'orders.ndjson': [1, 3].map((id) => order(id, 'new', '02:00:00')) });
  const tally = await shop.sync('shopify.orders', { ids: ['1', '2'] } as object);
  expect(tally).toMatchObject({ read: 1, changed: 1, deleted: 0 });
  const stored =
    'select id, name from raw.shopify_orders where connection_id = $1 and deleted_at is null order by id';
  expect(await db.rows(stored, [shop.connectionId])).toEqual([
    { id: '1', name: 'new' },
    { id: '2', name: 'old' },
    { id: '3', name: 'old' },
  ]);
  expect(await db.rows(stored, [other.connectionId])).toEqual(
    ['1', '2', '3'].map((id) => ({ id, name: 'old' })),
  );
  expect(await db.column(POSITIONS)).toEqual(before);
});
