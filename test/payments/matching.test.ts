/** Which charge pays which order: each charge at most one order, and nothing is counted twice. */
import { expect, test } from 'vitest';
import type { Item } from '#sql/load/table.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { aConnection, aShop } from '../support/rows/factory.ts';
import { aBooking, aCharge, anIntent, aRefund, loadMoney } from '../support/rows/payments.ts';
import { anOrder, loadOrders, type Place } from '../support/rows/raw_orders.ts';

type Till = { db: TestDb; shop: Place; account: Place; retailerId: string } & AsyncDisposable;

/** A shop and an account of Stripe of one retailer. */
async function aTill(given?: TestDb): Promise<Till> {
  const db = given ?? (await freshDb());
  const { brand, retailer, connection } = await aShop(db);
  const owner = { brandId: brand.id, retailerId: retailer.id };
  const stripe = { provider: 'stripe', account: 'acct_1', auth: 'key', secret: 'rk_test_1' } as const;
  const { id } = await aConnection(db, { ...owner, ...stripe });
  return {
    db,
    shop: { brandId: brand.id, connectionId: connection.id },
    account: { brandId: brand.id, connectionId: id },
    retailerId: retailer.id,
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  };
}

async function load(
  { db, shop, account }: Till,
  orders: readonly Item[],
  money: readonly Item[],
): Promise<void> {
  await db.transaction(async (tx) => {
    await loadOrders(tx, shop, orders);
    await loadMoney(tx, account, money);
  });
}

/** "order or charge: state charged" of every row, orders first. */
async function states({ db, shop }: Till, columns = 'charged'): Promise<unknown[]> {
  return db.column(
    `select concat_ws(' ', coalesce(charge_id, order_id) || ':', state, ${columns}) from bi.order_payments
     where brand_id = $1 order by charge_id nulls first, order_id`,
    [shop.brandId],
  );
}

test('an order is what was charged for it: all, too little, too much, nothing', async () => {
  await using till = await aTill();
  const orders = ['1', '2', '3', '4', '5'].map((id) => anOrder({ id, total: id === '5' ? '0' : '30.00' }));
  const money = [
    aCharge({ id: 'ch_1', amount: '10', reference: '1' }),
    aCharge({ id: 'ch_2', amount: '20', reference: '1', at: '2024-05-09T12:00:00Z' }),
    aCharge({ id: 'ch_3', amount: '30', captured: '12.5', reference: '2' }),
    aCharge({ id: 'ch_4', amount: '30.01', reference: '3' }),
    aCharge({ id: 'ch_5', amount: '30', captured: '0', reference: '4' }),
    aCharge({ id: 'ch_6', amount: '30', status: 'failed', reference: '4' }),
    aCharge({ id: 'ch_7', amount: '30', status: 'pending', reference: '4' }),
  ];
  await load(till, orders, money);
  expect(await states(till, 'charges, charged, difference')).toEqual([
    '1: matched 2 30 0.00',
    '2: partial 1 12.5 17.50',
    '3: over 1 30.01 -0.01',
    '4: unpaid 0 0 30.00',
    '5: nothing_due 0 0 0.00',
  ]);
});

test('a total with more places than its currency is charged rounded', async () => {
  await using till = await aTill();
  const orders = [
    anOrder({ id: '1', total: '12.345' }),
    anOrder({ id: '2', total: '1200', currency: 'JPY' }),
    anOrder({ id: '3', total: '1.2345', currency: 'KWD' }),
  ];
  const money = [
    aCharge({ id: 'ch_1', amount: '12.35', reference: '1' }),
    aCharge({ id: 'ch_2', amount: '1200', currency: 'JPY', reference: '2' }),
    aCharge({ id: 'ch_3', amount: '1.235', currency: 'KWD', reference: '3' }),
  ];
  await load(till, orders, money);
  expect(await states(till)).toEqual(['1: matched 12.35', '2: matched 1200', '3: matched 1.235']);
});

test.each(['gid://shopify/Order/5001', '5001', '#1001', '1001'])(
  'a charge may name its order %s',
  async (reference) => {
    await using till = await aTill();
    await load(
      till,
      [
        anOrder({ id: '5001', name: '#1001', total: '10' }),
        anOrder({ id: '5002', name: '#1002', total: '10' }),
      ],
      [aCharge({ id: 'ch_1', reference })],
    );
    expect(await states(till)).toEqual(['5001: matched 10', '5002: unpaid 0']);
  },
);

test('an id goes before a name, and a number sign makes it a name', async () => {
  await using till = await aTill();
  const orders = [
    anOrder({ id: '1001', name: '#7', total: '10' }),
    anOrder({ id: '5', name: '#1001', total: '20' }),
  ];
  const money = [
    aCharge({ id: 'ch_1', amount: '10', reference: '1001' }),
    aCharge({ id: 'ch_2', amount: '20', reference: '#1001' }),
  ];
  await load(till, orders, money);
  expect(await states(till)).toEqual(['1001: matched 10', '5: matched 20']);
});

test('a charge without a reference has that of its payment intent, but no other one', async () => {
  await using till = await aTill();
  const intents = [
    anIntent({ id: 'pi_1', reference: '1' }),
    anIntent({ id: 'pi_2', reference: '1' }),
    anIntent({ id: 'pi_3' }),
  ];
  const money = [
    aCharge({ id: 'ch_1', intent: 'pi_1' }),
    aCharge({ id: 'ch_2', intent: 'pi_2', reference: '2' }),
    aCharge({ id: 'ch_3', intent: 'pi_3' }),
    aCharge({ id: 'ch_4', intent: 'pi_gone' }),
  ];
  await load(
    till,
    [anOrder({ id: '1', total: '10' }), anOrder({ id: '2', total: '10' })],
    [...intents, ...money],
  );
  expect(await states(till)).toEqual([
    ...['1: matched 10', '2: matched 10', 'ch_3: no_reference 10', 'ch_4: no_reference 10'],
  ]);
});

test('a charge of no order stands by itself: unknown, deleted, a test, or of another tenant', async () => {
  await using till = await aTill();
  const { db, shop } = till;
  const foreign = await aTill(db);
  const sister = await aConnection(db, { brandId: shop.brandId });
  await load(
    till,
    [anOrder({ id: '1', total: '10' }), anOrder({ id: '2', total: '10', test: true })],
    ['1', '2', '3', '4'].map((reference) => aCharge({ id: `ch_${reference}`, reference })),
  );
  await load(foreign, [anOrder({ id: '3', total: '10' }), anOrder({ id: '1', total: '10' })], []);
  await db.transaction(async (tx) => {
    await loadOrders(tx, { brandId: shop.brandId, connectionId: sister.id }, [
      anOrder({ id: '4', total: '10' }),
    ]);
    await loadOrders(tx, shop, [], [{ id: '1', deletedAt: new Date('2024-06-01T00:00:00Z') }]);
  });
  expect(await states(till)).toEqual([
    ...[
      '4: unpaid 0',
      'ch_1: not_found 10',
      'ch_2: not_found 10',
      'ch_3: not_found 10',
      'ch_4: not_found 10',
    ],
  ]);
  expect(await states(foreign)).toEqual(['1: unpaid 0', '3: unpaid 0']);
});

test('equal ids in two shops of a retailer are told apart by nothing, and nothing is joined twice', async () => {
  await using till = await aTill();
  const { db, shop, retailerId } = till;
  const second = await aConnection(db, { brandId: shop.brandId, retailerId });
  const place = { brandId: shop.brandId, connectionId: second.id };
  await load(
    till,
    [
      anOrder({ id: '1', total: '10' }),
      anOrder({ id: '2', total: '10' }),
      anOrder({ id: '3', name: '#1', total: '10' }), // which the charge of order 1 does not mean
    ],
    [aCharge({ id: 'ch_1', reference: '1' }), aCharge({ id: 'ch_2', reference: '2' })],
  );
  await db.transaction((tx) => loadOrders(tx, place, [anOrder({ id: '1', name: '#77', total: '10' })]));
  expect(await states(till)).toEqual([
    ...['1: ambiguous 0', '1: ambiguous 0', '2: matched 10', '3: unpaid 0', 'ch_1: ambiguous 10'],
  ]);
  await db.transaction((tx) =>
    loadOrders(tx, place, [], [{ id: '1', deletedAt: new Date('2024-06-01T00:00:00Z') }]),
  );
  expect(await states(till)).toEqual(['1: matched 10', '2: matched 10', '3: unpaid 0']);
});

test('an order may be charged in the currency that its buyer saw; two currencies are never added', async () => {
  await using till = await aTill();
  const shown = { currency: 'EUR', total: '12.00' };
  const orders = ['1', '2', '3', '4'].map((id) => anOrder({ id, total: '10.00', shown }));
  const money = [
    aCharge({ id: 'ch_1', amount: '12', currency: 'EUR', reference: '1' }),
    aCharge({ id: 'ch_2', amount: '10', reference: '2' }),
    aCharge({ id: 'ch_3a', amount: '4', reference: '3' }),
    aCharge({ id: 'ch_3b', amount: '7', currency: 'EUR', reference: '3' }),
    aCharge({ id: 'ch_4', amount: '13', currency: 'USD', reference: '4' }),
  ];
  await load(till, orders, money);
  expect(await states(till, 'currency, order_total, charged')).toEqual([
    ...[
      '1: matched EUR 12.00 12',
      '2: matched GBP 10.00 10',
      '3: partial GBP 10.00 4',
      '4: unpaid GBP 10.00 0',
    ],
    ...['ch_3b: other_currency EUR 7', 'ch_4: other_currency USD 13'],
  ]);
});

test('what went back is beside what was charged; a failed refund and a released rest went nowhere', async () => {
  await using till = await aTill();
  const refunded = { charge: 'ch_1' };
  const money = [
    aCharge({ id: 'ch_1', amount: '50', captured: '30', reference: '1' }),
    aRefund({ ...refunded, id: 're_1', amount: '4' }),
    aRefund({ ...refunded, id: 're_2', amount: '5', status: 'pending' }),
    aRefund({ ...refunded, id: 're_3', amount: '6', status: 'failed' }),
    aRefund({ ...refunded, id: 're_4', amount: '20', booking: 'txn_4' }),
    aBooking({ id: 'txn_4', amount: '-20', category: 'partial_capture_reversal', source: 're_4' }),
    aCharge({ id: 'ch_2', amount: '8' }),
    aRefund({ id: 're_5', charge: 'ch_2', amount: '8' }),
  ];
  await load(till, [anOrder({ id: '1', total: '30.00' })], money);
  expect(await states(till, 'charged, refunded')).toEqual(['1: matched 30 9', 'ch_2: no_reference 8 8']);
});

test('the reference is read from metadata, or from where Stripe has a place for it', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 86_400;
  const intent = { amount: 1_000, currency: 'usd', created };
  await using account = await anAccountOf(db, {
    charges: [charge('ch_1', { metadata: { order_id: ' ', shopify_order_id: ' 7 ' } })],
    payment_intents: [
      { ...intent, id: 'pi_1', payment_details: { order_reference: '#1001', customer_reference: null } },
      { ...intent, id: 'pi_2', metadata: { order_id: '8' }, payment_details: { order_reference: '#1001' } },
      { ...intent, id: 'pi_3' },
    ],
  });
  for (const stream of ['charges', 'payment_intents'])
    expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  expect(await account.rows('charges', 'order_reference')).toEqual([{ order_reference: '7' }]);
  expect(await account.rows('payment_intents', 'order_reference')).toEqual([
    ...[{ order_reference: '#1001' }, { order_reference: '8' }, { order_reference: null }],
  ]);
});

test('whoever may read the views needs no rights of its own below them', async () => {
  await using till = await aTill();
  const { db } = till;
  await load(till, [anOrder({ id: '1', total: '10' })], [aCharge({ id: 'ch_1', reference: '1' })]);
  const role = `reader_${db.name}`;
  await db.query(`create role ${role}`);
  try {
    await db.query(
      `grant usage on schema bi, fact to ${role}; grant select on all tables in schema bi to ${role}`,
    );
    await db.transaction(async (tx) => {
      await tx.query(`set local role ${role}`);
      for (const view of ['order_payments', 'daily_cash_and_sales', 'daily_payments'])
        expect((await tx.query(`select * from bi.${view}`)).rowCount, view).toBe(
          view === 'daily_payments' ? 0 : 1,
        );
    });
  } finally {
    await db.query(`drop owned by ${role}; drop role ${role}`);
  }
});
