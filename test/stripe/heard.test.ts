/** What is kept of events about customers while they are listed, and what is asked because of them. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { type Answer, by, fakeProvider, json } from '../support/providers/provider.ts';
import { ACCOUNT, NOW_SECONDS } from '../support/providers/stripe.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';

const LATER = '2026-11-20T07:00:00Z';
const AT = NOW_SECONDS + 600;
const list = (data: readonly object[], has_more = false) => json({ object: 'list', data, has_more });
const subscription = {
  ...{ id: 'sub_1', object: 'subscription', status: 'active', currency: 'usd', customer: 'cus_1' },
  ...{ created: AT, start_date: AT, cancel_at_period_end: false, items: { data: [] } },
};
const MISSING = { type: 'invalid_request_error', code: 'resource_missing', param: 'customer' };

/** An account with one subscription and these events; each page of them is made as it is asked for. */
function accountHearing(eventsAfter: (after: string | null) => Answer) {
  return fakeProvider(
    by(({ path }) => {
      const { pathname, searchParams } = new URL(path, 'http://stripe');
      const customer = searchParams.get('customer');
      if (pathname.endsWith('/account')) return json({ object: 'account', id: ACCOUNT });
      if (Number(searchParams.get('created[lt]') ?? AT) < AT) return list([]); // the first load
      if (pathname.endsWith('/events')) return eventsAfter(searchParams.get('starting_after'));
      if (pathname.endsWith('/subscriptions/sub_1')) return json(subscription);
      if (customer === 'cus_gone') return json({ error: MISSING }, { status: 404 });
      return list(customer === 'cus_1' ? [subscription] : []);
    }),
  );
}

const event = (id: number, type: string, object: object, before: object = {}) => ({
  ...{ id: `evt_${id}`, object: 'event', type, created: AT, livemode: false },
  data: { object, previous_attributes: before },
});
const customer = (id: string, more: object = {}) => ({ id, object: 'customer', ...more });

test('a customer is asked for subscriptions once, however many events tell of a discount; one that is gone has none', async () => {
  const discount = { id: 'di_1', object: 'discount', customer: 'cus_1', subscription: null };
  const events = [
    event(6, 'customer.updated', customer('cus_1'), { discount: null }),
    event(5, 'customer.discount.created', discount),
    event(4, 'customer.discount.updated', discount),
    event(3, 'customer.updated', customer('cus_2'), { email: 'old' }),
    event(2, 'customer.updated', customer('cus_gone'), { discount: null }),
    event(1, 'customer.updated', customer('cus_1', { id: 7 }), { discount: null }),
  ];
  await using db = await freshDb();
  await using stripe = await accountHearing(() => list(events));
  for (const account of [await connectStripe(db, stripe), await connectStripe(db, stripe)]) {
    await account.sync('subscriptions');
    const before = stripe.asked.length;
    expect(await account.sync('subscriptions', { now: LATER })).toMatchObject({ changed: 1, rejected: 0 });
    const of = stripe.asked
      .slice(before)
      .map(({ path }) => new URL(path, 'http://x').searchParams.get('customer'));
    expect(of.filter((id) => id !== null).sort()).toEqual(['cus_1', 'cus_gone']);
    expect(await account.rows('subscription_versions', 'id, valid_from')).toEqual([
      { id: 'sub_1', valid_from: new Date(AT * 1000) },
    ]);
  }
});

const PAGES = 40;
const PAGE_SIZE = 100;
const EVENT_CHARS = 10_000;

test('nothing is kept of events that tell of no discount', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const used: number[] = [];
  const filler = 'x'.repeat(EVENT_CHARS);
  await using db = await freshDb();
  await using stripe = await accountHearing((after) => {
    const first = after === null ? PAGES * PAGE_SIZE : Number(after.slice('evt_'.length)) - 1;
    if (first === (PAGES - 1) * PAGE_SIZE || first === PAGE_SIZE) used.push(heap());
    const ids = Array.from({ length: PAGE_SIZE }, (_, index) => first - index);
    const told = ids.map((id) =>
      event(id, 'customer.updated', customer(`cus_${id}`, { filler }), { email: filler }),
    );
    return list(told, first > PAGE_SIZE);
  });
  const account = await connectStripe(db, stripe);
  await account.sync('subscriptions');
  await account.sync('subscriptions', { now: LATER });
  const [early = 0, late = Infinity] = used;
  expect(used).toHaveLength(2);
  expect(late - early).toBeLessThan(((PAGES - 2) * PAGE_SIZE * EVENT_CHARS) / 4);
});
