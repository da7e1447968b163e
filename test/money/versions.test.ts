import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { post } from '../support/providers/sandbox.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;
const START = NOW_SECONDS - 10 * DAY;
const instant = (seconds: number) => new Date(seconds * 1000);

const prices = [
  { id: 'month', product: 'prod_1', currency: 'usd', unit_amount: 900, recurring: { interval: 'month' } },
];
const sub = (id: string, created: number, quantity: number, more: object = {}) => ({
  ...{ id, customer: `cus_${id}`, created, items: [{ id: `si_${id}`, price: 'month', quantity }] },
  ...more,
});

type Account = Awaited<ReturnType<typeof anAccountOf>>;

/** `all`: with the other streams that were read once, which share the events that are listed. */
async function syncAt(account: Account, seconds: number, all = false): Promise<void> {
  const now = instant(seconds).toISOString();
  await post(account.sandbox, 'load', { dir: account.sandbox.dir, now });
  await (all ? account.syncAll({ now }) : account.sync('subscriptions', { now }));
}

const versions = (account: Account) =>
  account.rows('subscription_versions', "valid_from, items->0->>'quantity' as quantity");

test('many new subscriptions, which are listed, hold from the instant of their events and not of the list', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS + 600;
  const subscriptions = Array.from({ length: 25 }, (_, index) => sub(`sub_${index}`, created + index, 1));
  await using account = await anAccountOf(db, { prices, subscriptions });
  await account.sync('subscriptions');
  await syncAt(account, NOW_SECONDS + 3 * DAY);
  expect(
    await db.column('select valid_from from raw.stripe_subscription_versions order by valid_from'),
  ).toEqual(subscriptions.map((one) => instant(one.created)));
});

test.each([
  ['days', 'read alone', 2 * DAY],
  ['seconds within the lag', 'read alone', 20],
  ['hours', 'read with others', 2 * HOUR],
  ['seconds within the lag', 'read with others', 20],
])('a change that comes %s after another one is dated by its own event, %s', async (_, how, later) => {
  await using db = await freshDb();
  const [named, grown] = [NOW_SECONDS + HOUR, NOW_SECONDS + HOUR + later];
  const metadata = { wish: 'blue' };
  const subscriptions = [
    sub('sub_1', START, 1),
    sub('sub_1', START, 1, { metadata, _at: named }),
    sub('sub_1', START, 3, { metadata, _at: grown }),
  ];
  await using account = await anAccountOf(db, { prices, subscriptions });
  const all = how === 'read with others';
  for (const stream of ['customers', 'subscriptions']) await account.sync(stream);
  await syncAt(account, grown + 41, all); // the older event is a minute old, the newer one is not
  await syncAt(account, grown + DAY, all);
  expect(await versions(account)).toEqual([
    { valid_from: instant(NOW_SECONDS), quantity: '1' },
    { valid_from: instant(grown), quantity: '3' },
  ]);
});
