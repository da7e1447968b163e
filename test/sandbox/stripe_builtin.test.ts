import type Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get, getList, getText } from '../../sandbox/plain.ts';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import type { World } from '../../sandbox/shopify/shop.ts';
import type { Book, StripeObject } from '../../sandbox/stripe/objects.ts';
import { assertValid, client } from '../support/providers/stripe.ts';

const RETAILERS = ['uk', 'germany', 'france', 'eire', 'rest'];
const NOW = Date.parse('2011-12-10T06:00:00Z') / 1000;
const IN_LONDON = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/London' });

let world: World;
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
  world = sandbox.world;
});
afterAll(() => sandbox[Symbol.asyncDispose]());

function bookOf(name: string): Book {
  const account = world.stripe.get(`acct_giftware${name}`);
  if (!account) throw new Error(`no account ${name}`);
  return account.book(false);
}

function all(book: Book, kind: string): StripeObject[] {
  const source = book.source(kind);
  return Array.from({ length: source.length }, (_, position) => source.objectAt(position, NOW) ?? {});
}

const sum = (rows: readonly StripeObject[], field: string) =>
  rows.reduce((total, row) => total + Number(row[field]), 0);
const dayOf = (second: unknown) => IN_LONDON.format(Number(second) * 1000);

/** Thousandths of a pound, from the texts of the Shopify side. */
function thousandths(amount: string): number {
  const [whole = '', fraction = ''] = amount.split('.');
  return Number(whole) * 1_000 + Number(fraction.padEnd(3, '0'));
}

test.each(RETAILERS)('%s: the charges of a day are the totals of its orders, to the penny', (retailer) => {
  const orders = world.shops.get(`giftware-${retailer}`)?.lists.orders ?? [];
  const totals = new Map<string, number>();
  for (const order of orders) {
    const bag = get(order, 'totalPriceSet') as { shopMoney: { amount: string } };
    const day = IN_LONDON.format(Date.parse(String(getText(order, 'processedAt'))));
    totals.set(day, (totals.get(day) ?? 0) + thousandths(bag.shopMoney.amount));
  }
  const charges = all(bookOf(retailer), 'charges');
  const paid = new Map<string, number>();
  for (const { created, amount } of charges) {
    paid.set(dayOf(created), (paid.get(dayOf(created)) ?? 0) + Number(amount));
  }
  const rounded = [...totals].map(([day, total]) => [day, Math.floor((total + 5) / 10)] as const);
  expect([...paid].toSorted()).toEqual(rounded.filter(([, total]) => total > 0).toSorted());
  const numbers = new Set(orders.map((order) => String(get(order, 'id')).split('/').at(-1)));
  expect(charges.every(({ metadata }) => numbers.has(get(metadata as object, 'order_id') as string))).toBe(
    true,
  );
  expect(new Set(charges.map(({ id }) => id)).size).toBe(charges.length);
});

test('one charge for each of the 19,959 orders with a positive total', () => {
  expect(RETAILERS.reduce((count, name) => count + bookOf(name).source('charges').length, 0)).toBe(19_959);
});

test.each(RETAILERS)(
  '%s: refunds take at most what was paid, never more than Shopify gave back',
  (retailer) => {
    const book = bookOf(retailer);
    const refunds = Map.groupBy(all(book, 'refunds'), ({ charge }) => charge);
    for (const charge of all(book, 'charges')) {
      const refunded = sum(refunds.get(charge.id) ?? [], 'amount');
      expect([charge.id, charge.amount_refunded, charge.refunded]).toEqual([
        charge.id,
        refunded,
        refunded === charge.amount,
      ]);
      expect(refunded).toBeLessThanOrEqual(Number(charge.amount));
      refunds.delete(charge.id);
    }
    expect(refunds.size).toBe(0);
    const orders = world.shops.get(`giftware-${retailer}`)?.lists.orders ?? [];
    const given = orders.flatMap((order) => getList(order, 'refunds')).length;
    expect(book.source('refunds').length).toBeLessThanOrEqual(given);
  },
);

test.each(RETAILERS)(
  '%s: every transaction has its source, its fee by the formula, and its sums',
  (retailer) => {
    const book = bookOf(retailer);
    const transactions = all(book, 'balance_transactions');
    for (const { type, amount, fee, net, source } of transactions) {
      const expected = type === 'charge' ? Math.floor((Number(amount) * 15 + 500) / 1_000) + 20 : 0;
      expect([source, fee, net]).toEqual([source, expected, Number(amount) - expected]);
    }
    for (const kind of ['charges', 'refunds', 'payouts']) {
      const byId = new Map(transactions.map((transaction) => [transaction.id, transaction]));
      for (const { id, balance_transaction, amount } of all(book, kind)) {
        const own = byId.get(balance_transaction);
        expect(own).toMatchObject({ source: id, amount: kind === 'charges' ? amount : -Number(amount) });
      }
    }
    expect(transactions).toHaveLength(
      ['charges', 'refunds', 'payouts'].reduce((count, kind) => count + book.source(kind).length, 0),
    );
  },
);

test.each(RETAILERS)(
  '%s: each payout is the sum of what it holds, and the rest is the balance',
  (retailer) => {
    const book = bookOf(retailer);
    const source = book.source('balance_transactions');
    for (const { id, amount, created } of all(book, 'payouts')) {
      const held = (source.positionsWhere('payout', String(id)) ?? []).map(
        (at) => source.objectAt(at, NOW) ?? {},
      );
      const [own, others] = [
        held.filter(({ type }) => type === 'payout'),
        held.filter(({ type }) => type !== 'payout'),
      ];
      expect([sum(own, 'net'), sum(others, 'net')]).toEqual([-Number(amount), amount]);
      expect(others.every(({ available_on }) => Number(available_on) <= Number(created))).toBe(true);
      expect(new Date(Number(created) * 1_000).getUTCDay()).toBe(1);
    }
    const { available = 0, pending = 0 } = book.balance(NOW).get('payments')?.get('gbp') ?? {};
    expect(available + pending).toBe(sum(all(book, 'balance_transactions'), 'net'));
  },
);

test('the official client reads an account whole, by its own key and through the brand', async () => {
  const own = client(sandbox, 'rk_test_sandbox_giftware_eire');
  const brand = client(sandbox, 'sk_test_sandbox_giftware');
  const through = { stripeAccount: 'acct_giftwareeire' };
  let net = 0;
  let rows = 0;
  for await (const transaction of own.balanceTransactions.list({ limit: 100 })) {
    net += transaction.net;
    rows++;
  }
  expect(rows).toBe(bookOf('eire').source('balance_transactions').length);
  const balance = await brand.balance.retrieve({}, through);
  expect(Number(balance.available[0]?.amount) + Number(balance.pending[0]?.amount)).toBe(net);
  const { data } = await brand.charges.list(
    { limit: 3, expand: ['data.balance_transaction', 'data.refunds'] },
    through,
  );
  for (const charge of data) {
    expect((charge.balance_transaction as Stripe.BalanceTransaction).source).toBe(charge.id);
    await assertValid('charge', charge);
  }
  const types = new Set<string>();
  for await (const event of own.events.list({ limit: 100 })) types.add(event.type);
  expect([...types].toSorted()).toEqual([
    'charge.refunded',
    'charge.succeeded',
    'payout.created',
    'payout.paid',
    'refund.created',
  ]);
});

test('the built-in objects are valid by the declarations of the official client', async () => {
  for (const kind of ['charge', 'refund', 'payout', 'balance_transaction']) {
    for (const row of all(bookOf('eire'), `${kind}s`).slice(0, 20)) await assertValid(kind, row);
  }
});
