import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import {
  assertValid,
  charge,
  client,
  KEY,
  NOW_SECONDS,
  rawGet,
  stripeDir,
  stripeSandbox,
} from '../support/providers/stripe.ts';

const created = NOW_SECONDS - 86_400;
const money = (id: string, amount: number, more: object = {}) => {
  return { id, amount, currency: 'usd', created, ...more };
};

test('derived events have the mode of their account, whatever their objects say', async () => {
  const files = {
    charges: [charge('ch_1')],
    refunds: [money('re_1', 100, { charge: 'ch_1' })],
    products: [
      { id: 'prod_1', name: 'Box', created },
      { id: 'prod_1', deleted: true, _at: created + 60 },
    ],
  };
  const key = 'sk_live_acme';
  await using live = await stripeSandbox(files, { stripe: { acct_acme: { key } } });
  const events = await client(live, key).events.list();
  expect(events.data.map(({ type, livemode }) => [type, livemode])).toEqual([
    ['product.deleted', true],
    ['product.created', true],
    ['refund.created', true],
    ['charge.succeeded', true],
  ]);
  await using other = await stripeSandbox(files);
  expect((await client(other).events.list()).data.map(({ livemode }) => livemode)).toEqual(
    Array(4).fill(false),
  );
});

test('an event of an update tells what the changed fields were, and no other event does', async () => {
  const customer = { id: 'cus_1', name: 'One', created, metadata: { tier: 'gold', since: '2020' } };
  await using sandbox = await stripeSandbox({
    customers: [
      customer,
      {
        ...customer,
        email: 'one@example.com',
        metadata: { tier: 'iron', since: '2020', by: 'us' },
        _at: created + 1,
      },
    ],
    products: [
      { id: 'prod_1', name: 'Box', created },
      { id: 'prod_1', deleted: true, _at: created + 2 },
    ],
  });
  const { data } = await client(sandbox).events.list();
  expect(data.map((event) => [event.type, event.data.previous_attributes])).toEqual([
    ['product.deleted', undefined],
    ['customer.updated', { email: null, metadata: { tier: 'gold', by: null } }],
    ['product.created', undefined],
    ['customer.created', undefined],
  ]);
  for (const event of (await rawGet(sandbox, 'events')).body.data as object[])
    await assertValid('event', event);
});

test('each type of balance is told by itself', async () => {
  const transaction = (id: string, amount: number, more: object) =>
    money(id, amount, { type: 'charge', ...more });
  await using sandbox = await stripeSandbox({
    balance_transactions: [
      transaction('txn_1', 1_000, {}),
      transaction('txn_2', 300, { balance_type: 'issuing' }),
      transaction('txn_3', 40, { balance_type: 'refund_and_dispute_prefunding' }),
      transaction('txn_4', 5, {
        balance_type: 'refund_and_dispute_prefunding',
        available_on: NOW_SECONDS + 60,
      }),
      transaction('txn_5', 9, { balance_type: 'risk_reserved' }),
    ],
  });
  const { body } = await rawGet(sandbox, 'balance');
  await assertValid('balance', body);
  expect(body).toMatchObject({
    available: [{ amount: 1_000 }],
    pending: [{ amount: 0 }],
    issuing: { available: [{ amount: 300 }] },
    refund_and_dispute_prefunding: { available: [{ amount: 40 }], pending: [{ amount: 5 }] },
  });
});

test('a discount shows its coupon though that is deleted; only customers and products leave a mark', async () => {
  await using sandbox = await stripeSandbox({
    coupons: [
      { id: 'TEN', percent_off: 10, duration: 'forever' },
      { id: 'TEN', deleted: true, _at: created },
    ],
    products: [{ id: 'prod_1' }, { id: 'prod_1', deleted: true, _at: created }],
    prices: [{ id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 500, recurring: {} }],
    subscriptions: [
      {
        id: 'sub_1',
        customer: 'cus_1',
        created,
        items: [{ price: 'price_1' }],
        discounts: [{ id: 'di_1', source: { type: 'coupon', coupon: 'TEN' }, start: created }],
      },
    ],
  });
  const stripe = client(sandbox);
  const found = await stripe.subscriptions.retrieve('sub_1', { expand: ['discounts.source.coupon'] });
  const { coupon } = (found.discounts as Stripe.Discount[])[0]?.source ?? {};
  expect(coupon).toMatchObject({ id: 'TEN', percent_off: 10, duration: 'forever', valid: false });
  expect(coupon).not.toHaveProperty('deleted');
  expect(await stripe.coupons.retrieve('TEN')).toMatchObject({ deleted: true });
  expect((await stripe.prices.retrieve('price_1', { expand: ['product'] })).product).toMatchObject({
    deleted: true,
  });
  await assertValid('coupon', coupon);
});

test('what Stripe does not know is refused, wherever it is asked for', async () => {
  await using sandbox = await stripeSandbox({
    charges: [charge('ch_1', { customer: 'cus_named' })],
    customers: [{ id: 'cus_1' }],
  });
  const refused: Record<string, string> = {
    'charges?customer=cus_none': "No such customer: 'cus_none'",
    'refunds?charge=ch_none': "No such charge: 'ch_none'",
    'subscriptions?price=price_none': "No such price: 'price_none'",
    'balance_transactions?payout=po_none': "No such payout: 'po_none'",
    'balance_transactions?type=gift': 'Invalid type: must be one of',
    'balance_transactions?currency=us': 'Invalid currency: us',
    'subscription_items?subscription=sub_none': "No such subscription: 'sub_none'",
    'subscriptions?status=alll': 'Invalid status: must be one of active, past_due,',
    'subscriptions?collection_method=cash': 'Invalid collection_method: must be one of',
    'invoices?status=melted': 'or uncollectible',
    'invoice_payments?status=gone': 'Invalid status',
    'invoice_payments?payment[type]=cash': 'Invalid payment[type]',
    'payouts?status=lost': 'Invalid status',
    'prices?type=free': 'must be one of recurring, or one_time',
    'prices?recurring[interval]=hour': 'Invalid recurring[interval]',
    'products?type=gas': 'Invalid type',
    'charges?customer=': "You passed an empty string for 'customer'.",
    'charges/ch_1?color=red': 'Received unknown parameter: color',
    'balance?color=red': 'Received unknown parameter: color',
    'account?color=red': 'Received unknown parameter: color',
    'subscription_items?subscription=sub_none&color=red': 'Received unknown parameter: color',
  };
  for (const [path, message] of Object.entries(refused)) {
    const { status, body } = await rawGet(sandbox, path);
    expect([path, status, (body.error as Error | undefined)?.message]).toEqual([
      path,
      400,
      expect.stringContaining(message),
    ]);
  }
  const listed = ['charges?customer=cus_1', 'charges?customer=cus_named', 'invoices?customer_account=acct_1'];
  for (const path of [
    ...listed,
    'subscriptions?automatic_tax[enabled]=true',
    'charges/ch_1?expand[]=payment_method',
  ]) {
    expect([path, (await rawGet(sandbox, path)).status]).toEqual([path, 200]);
  }
});

test('connected accounts are a list', async () => {
  const stripe = { acct_acme: { key: KEY, connected: ['acct_a', 'acct_b'] }, acct_a: {}, acct_b: {} };
  await using sandbox = await stripeSandbox({}, { stripe });
  const accounts = client(sandbox).accounts;
  const { data, has_more: hasMore } = await accounts.list({ limit: 1 });
  expect([data.map(({ id }) => id), hasMore]).toEqual([['acct_b'], true]);
  const seen: string[] = [];
  for await (const { id } of accounts.list({ limit: 1 })) seen.push(id);
  expect(seen).toEqual(['acct_b', 'acct_a']);
  expect((await accounts.list({ created: { gt: NOW_SECONDS } })).data).toEqual([]);
  for (const account of (await rawGet(sandbox, 'accounts')).body.data as object[])
    await assertValid('account', account);
});

test('a field that the API has beside its declarations is not a cause for a warning', async () => {
  const log: string[] = [];
  await using dir = await stripeDir({
    charges: [charge('ch_1', { dispute: 'dp_1', destination: null, order: null })],
    disputes: [money('dp_1', 1_000, { charge: 'ch_1' })],
    prices: [{ id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 500, recurring: {} }],
    subscriptions: [
      {
        id: 'sub_1',
        customer: 'cus_1',
        created,
        items: [{ price: 'price_1' }],
        plan: null,
        quantity: 1,
        planet: 1,
      },
    ],
  });
  await using sandbox = await startSandbox({ data: dir.dir, log: (line) => log.push(line) });
  expect(log).toEqual([
    'stripe/acct_acme/subscriptions.ndjson:1 planet: Stripe has no such field; it is served as it is.',
  ]);
  const { body } = await rawGet(sandbox, 'charges/ch_1?expand[]=dispute');
  expect(body.dispute).toMatchObject({ id: 'dp_1', amount: 1_000 });
});

test('a restricted key expands only what it may read', async () => {
  const keys = [KEY, { key: 'rk_test_few', permissions: ['rak_charge_read'] }];
  await using sandbox = await stripeSandbox(
    {
      charges: [charge('ch_1', { customer: 'cus_1' }), charge('ch_2')],
      customers: [{ id: 'cus_1' }],
      refunds: [money('re_1', 100, { charge: 'ch_1' })],
    },
    { stripe: { acct_acme: { keys } } },
  );
  const few = client(sandbox, 'rk_test_few');
  const lacking = {
    type: 'StripePermissionError',
    code: 'more_permissions_required',
    message: expect.stringContaining("'rak_customer_read'"),
  };
  await expect(few.charges.retrieve('ch_1', { expand: ['customer'] })).rejects.toMatchObject(lacking);
  await expect(few.charges.list({ expand: ['data.customer'] })).rejects.toMatchObject(lacking);
  const { refunds } = await few.charges.retrieve('ch_1', { expand: ['refunds', 'refunds.data.charge'] });
  expect(refunds?.data).toMatchObject([{ id: 're_1', charge: { id: 'ch_1' } }]);
  expect(await few.charges.retrieve('ch_2', { expand: ['customer'] })).toMatchObject({ customer: null });
  expect((await client(sandbox).charges.retrieve('ch_1', { expand: ['customer'] })).customer).toMatchObject({
    id: 'cus_1',
  });
});

test('lists in objects may be given as arrays, and their addresses answer', async () => {
  const note = { invoice: 'in_1', customer: 'cus_1', created, amount: 100, currency: 'usd' };
  await using sandbox = await stripeSandbox({
    charges: [charge('ch_1', { refunds: [money('re_1', 100, { object: 'refund', charge: 'ch_1' })] })],
    customers: [{ id: 'cus_1' }],
    prices: [{ id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 500, recurring: {} }],
    subscriptions: [{ id: 'sub_1', customer: 'cus_1', created, items: [{ price: 'price_1' }] }],
    invoices: [{ id: 'in_1', customer: 'cus_1', currency: 'usd', created, lines: [{ amount: 100 }] }],
    credit_notes: [
      { id: 'cn_1', ...note, lines: Array.from({ length: 12 }, (_, index) => ({ amount: index })) },
      {
        id: 'cn_2',
        ...note,
        lines: { object: 'list', data: [{ id: 'cnli_x', amount: 1 }], has_more: false, url: '' },
      },
      { id: 'cn_3', ...note },
    ],
  });
  const stripe = client(sandbox);
  const { lines } = await stripe.creditNotes.retrieve('cn_1');
  expect([lines.data.length, lines.has_more, lines.data[0]?.id]).toEqual([10, true, 'cnli_cn_1_1']);
  const all: string[] = [];
  for await (const { id } of stripe.creditNotes.listLineItems('cn_1', { limit: 5 })) all.push(id);
  expect(all).toHaveLength(12);
  expect((await stripe.creditNotes.retrieve('cn_2')).lines.data).toMatchObject([{ id: 'cnli_x' }]);
  expect((await stripe.creditNotes.retrieve('cn_3')).lines).toMatchObject({ object: 'list', data: [] });

  const owners = [
    'charges/ch_1?expand[]=refunds',
    'customers/cus_1?expand[]=subscriptions',
    'subscriptions/sub_1',
    'invoices/in_1?expand[]=payments',
    'credit_notes/cn_1',
  ];
  for (const owner of owners) {
    const { body } = await rawGet(sandbox, owner);
    const lists = Object.values(body).filter(
      (value) => (value as { object?: string } | null)?.object === 'list',
    );
    expect([owner, lists.length > 0]).toEqual([owner, true]);
    for (const { url } of lists as { url: string }[]) {
      expect([url, (await rawGet(sandbox, url.replace('/v1/', ''))).body.object]).toEqual([url, 'list']);
    }
  }
});
