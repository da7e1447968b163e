/** Objects that events name and Stripe does not return. */
import { expect, test } from 'vitest';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { freshDb } from '../support/db/db.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const HOUR = 3_600;
const hours = (count: number) => ({ now: new Date((NOW_SECONDS + count * HOUR) * 1000).toISOString() });
const BEFORE = NOW_SECONDS - 3 * 86_400;

const updated = (object: string, id: string, created: number) => ({
  ...{ id: `evt_${id}_${created}`, type: `${object.replace('sub', 'customer.sub')}.updated`, created },
  data: { object: { id, object } },
});

test('more of them than a position keeps are not forgotten: the position stays before them', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  await db.transaction((tx) => limitRequests(tx, account, 2_000)); // nobody waits here
  await account.sync('customers');
  const ids = Array.from({ length: 501 }, (_, index) => `cus_${index}`);
  const events = ids.map((id, index) => updated('customer', id, NOW_SECONDS + 600 + index));
  await account.serve({ events }, hours(1));
  expect((await account.sync('customers', hours(1))).incomplete).toContain('does not return 501 customers');
  const customers = ids.map((id) => ({ id, created: BEFORE }));
  await account.serve({ events, customers }, hours(2));
  expect(await account.sync('customers', hours(2))).not.toHaveProperty('incomplete');
  expect(await account.rows('customers', 'id')).toHaveLength(501);
});

test('a version of a subscription that was not returned before is dated by an event that comes meanwhile', async () => {
  await using db = await freshDb();
  const price = { id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 100, created: BEFORE };
  const prices = [{ ...price, recurring: { interval: 'month' } }];
  await using account = await anAccountOf(db, { prices });
  for (const stream of ['prices', 'subscriptions']) await account.sync(stream);
  const events = [updated('subscription', 'sub_1', NOW_SECONDS + 600)];
  await account.serve({ prices, events }, hours(1));
  expect((await account.syncAll(hours(1))).incomplete).toContain('sub_1');
  const second = NOW_SECONDS + 1.5 * HOUR;
  events.push(updated('subscription', 'sub_1', second));
  const items = [{ id: 'si_1', price: 'price_1', quantity: 1 }];
  const subscriptions = [{ id: 'sub_1', customer: 'cus_1', created: BEFORE, items }];
  await account.serve({ prices, subscriptions, events }, hours(2));
  // The second change happens while the run is under way.
  await account.faults({ kind: 'late_rows', ids: [`evt_sub_1_${second}`], requests: 1 });
  await account.syncAll(hours(2));
  const versions = await account.rows('subscription_versions', 'valid_from');
  expect(versions).toContainEqual({ valid_from: new Date(second * 1000) });
});
