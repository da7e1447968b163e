/** A connection stores only what is of its own account, whatever its key and address lead to. */

import { expect, test } from 'vitest';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb } from '../support/db/db.ts';
import { aShopOf } from '../support/providers/shopify.ts';
import { charge } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { testSealer } from '../support/rows/factory.ts';

const FILES = {
  charges: [charge('ch_1')],
  'stripe/acct_other/charges.ndjson': [charge('ch_1', { amount: 7 }), charge('ch_2')],
};
const SCENARIO = { stripe: { acct_acme: { key: 'rk_test_acme' }, acct_other: { key: 'rk_test_other' } } };
const orders = (total: string) => ({
  'orders.ndjson': [
    {
      ...{ id: 1, processedAt: '2026-11-01T12:00:00Z' },
      lineItems: [{ id: 11, originalUnitPriceSet: total }],
    },
  ],
});

test('the key of another account of Stripe is refused before anything is stored', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES, SCENARIO, { secret: 'rk_test_other' });
  await expect(account.sync('charges')).rejects.toMatchObject({
    ...{ code: 'NS_ACCOUNT_DIFFERS', verdict: 'hold' },
    message: expect.stringContaining('answers as acct_other'),
  });
  expect(await account.rows('charges', 'id')).toEqual([]);
  expect(await db.column('select state from ops.positions')).toEqual(['failing']);
});

test('whose key it is is asked once, and again when there is another', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES, SCENARIO);
  const asked = async () => (await account.asked()).filter((path) => path.endsWith('/v1/account')).length;
  for (const stream of ['charges', 'customers']) await account.sync(stream);
  expect(await asked()).toBe(1);
  const which = { brandId: account.brandId, connectionId: account.connectionId };
  await db.transaction((tx) => replaceSecret(tx, testSealer, which, 'rk_test_other'));
  await expect(account.sync('charges')).rejects.toMatchObject({ code: 'NS_ACCOUNT_DIFFERS' });
  expect(await account.rows('charges', 'id')).toEqual([{ id: 'ch_1' }]);
});

// The key is replaced while a sync with the one before is under way: what that one was asked says nothing of it.
test('a key that comes while a sync runs is asked too whose it is', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES, SCENARIO);
  const which = { brandId: account.brandId, connectionId: account.connectionId };
  let transactions = 0;
  const replacing = aroundTransactions(db, async (transaction) => {
    // The first one makes the job, the second one stores a page.
    if (++transactions === 2)
      await db.transaction((tx) => replaceSecret(tx, testSealer, which, 'rk_test_other'));
    return transaction();
  });
  await account.sync('charges', {}, replacing);
  expect(await db.column('select account_asked_at from app.connections')).toEqual([null]);
  await expect(account.sync('charges')).rejects.toMatchObject({ code: 'NS_ACCOUNT_DIFFERS' });
  expect(await account.rows('charges', 'id')).toEqual([{ id: 'ch_1' }]);
});

test('a key that may not tell whose it is reads all the same', async () => {
  await using db = await freshDb();
  const key = { key: 'rk_test_acme', permissions: ['rak_charge_read', 'rak_event_read'] };
  await using account = await anAccountOf(db, FILES, { stripe: { acct_acme: { key }, acct_other: {} } });
  expect(await account.sync('charges')).toMatchObject({ read: 1 });
});

test('an address at which another shop answers is refused, one whose shop has a new name is not', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, orders('5.00'));
  const rename =
    'update app.connections set account = $1, held_at = null, held_code = null, held_reason = null';
  await db.query(rename, ['other.myshopify.com']);
  await expect(shop.sync('shopify.orders')).rejects.toMatchObject({
    ...{ code: 'NS_ACCOUNT_DIFFERS', verdict: 'hold' },
    message: expect.stringContaining('answers as acme.myshopify.com'),
  });
  expect(await db.column('select id from raw.shopify_orders')).toEqual([]);

  await db.query(rename, ['Acme.myshopify.com']);
  for (const stream of ['shopify.shop', 'shopify.orders'])
    expect(await shop.sync(stream)).toMatchObject({ read: 1 });
  await db.query(rename, ['as-it-was-called.myshopify.com']);
  expect(await shop.sync('shopify.orders')).toMatchObject({ incomplete: null });
});
