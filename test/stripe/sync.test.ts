import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { dyingAfter } from '../support/providers/shopify.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const minute = (count: number) => new Date((NOW_SECONDS + count * 60) * 1000).toISOString();

/** Charges that are old, some sharing a second, more than fit on a page. */
const many = (count: number, perSecond = 1) =>
  Array.from({ length: count }, (_, index) =>
    charge(`ch_${String(index).padStart(4, '0')}`, {
      created: NOW_SECONDS - 40 * DAY + Math.floor(index / perSecond),
    }),
  );

test('charges are stored with exact amounts in the currency’s own places', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {
    charges: [
      charge('ch_1', { amount: 1_999, metadata: { order_id: '1001' } }),
      charge('ch_2', { amount: 500, currency: 'jpy', metadata: { shopify_order_id: '7' } }),
      charge('ch_3', { amount: 1_250, currency: 'kwd' }),
      charge('ch_4', { amount: 500, currency: 'isk' }),
      charge('ch_5', { amount: 500, currency: 'ugx', status: 'failed', failure_code: 'card_declined' }),
    ],
  });
  expect(await account.sync('charges')).toMatchObject({ read: 5, rejected: 0 });
  expect(
    await account.rows('charges', 'id, status, currency, amount, order_reference, failure_code'),
  ).toEqual([
    {
      id: 'ch_1',
      status: 'succeeded',
      currency: 'USD',
      amount: '19.99',
      order_reference: '1001',
      failure_code: null,
    },
    {
      id: 'ch_2',
      status: 'succeeded',
      currency: 'JPY',
      amount: '500',
      order_reference: '7',
      failure_code: null,
    },
    {
      id: 'ch_3',
      status: 'succeeded',
      currency: 'KWD',
      amount: '1.25',
      order_reference: null,
      failure_code: null,
    },
    {
      id: 'ch_4',
      status: 'succeeded',
      currency: 'ISK',
      amount: '5',
      order_reference: null,
      failure_code: null,
    },
    {
      id: 'ch_5',
      status: 'failed',
      currency: 'UGX',
      amount: '5',
      order_reference: null,
      failure_code: 'card_declined',
    },
  ]);
});

test.each([1, 130])(
  'a first load by parted windows misses nothing, %i charges to a second',
  async (perSecond) => {
    await using db = await freshDb();
    await using account = await anAccountOf(db, { charges: many(430, perSecond) });
    expect(await account.sync('charges')).toMatchObject({ rejected: 0 });
    expect(await db.column('select count(*)::int from raw.stripe_charges')).toEqual([430]);
  },
);

test('a load that dies goes on with what is left of its windows', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: many(520) });
  await expect(account.sync('charges', {}, dyingAfter(db, 3))).rejects.toThrow('the machine is gone');
  const before = (await db.column('select count(*)::int from raw.stripe_charges'))[0] as number;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(520);
  const tally = await account.sync('charges');
  expect(await db.column('select count(*)::int from raw.stripe_charges')).toEqual([520]);
  expect(tally.read as number).toBeLessThan(520); // what was stored is not read again
});

test('a limit, a lock, a cut answer and a cursor that is gone cost nothing but time', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: many(250, 130) });
  await account.faults(
    { kind: 'status', on: 'stripe', status: 429, reason: 'endpoint-rate' },
    { kind: 'status', on: 'stripe', status: 429, code: 'lock_timeout', after: 1 },
    { kind: 'cut', on: 'stripe', bytes: 500, after: 2 },
    { kind: 'expired_cursor', account: 'acct_acme' },
    { kind: 'repeat_page', account: 'acct_acme' },
  );
  await account.sync('charges');
  expect(await db.column('select count(*)::int from raw.stripe_charges')).toEqual([250]);
});

test('an event says that an object changed, and an event that shows up late is not lost', async () => {
  await using db = await freshDb();
  const [created, refunded] = [NOW_SECONDS - 2 * DAY, NOW_SECONDS + 600];
  const one = (id: string) => charge(id, { created });
  await using account = await anAccountOf(db, { charges: [one('ch_1'), one('ch_2')] });
  await account.sync('charges');
  await account.serve(
    {
      charges: [one('ch_1'), one('ch_2'), charge('ch_3', { created: refunded })],
      refunds: [{ id: 're_1', amount: 400, currency: 'usd', created: refunded, charge: 'ch_1' }],
      events: ['ch_1', 'ch_3'].map((id, index) => ({
        id: `evt_${index}`,
        type: 'charge.updated',
        created: refunded,
        data: { object: { ...charge(id), object: 'charge' } },
      })),
    },
    { now: minute(30) },
  );
  await account.faults({ kind: 'late_rows', ids: ['evt_1'], requests: 2 });
  await account.sync('charges', { now: minute(11.1) });
  expect(await account.rows('charges', 'id')).toHaveLength(2);
  await account.faults();
  await account.sync('charges', { now: minute(14) });
  expect(await account.rows('charges', 'id')).toHaveLength(3);
});

test('what is read again unchanged is written once only', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: many(120) });
  await account.sync('charges');
  const versions = () => db.rows('select id, xmin::text, ctid::text from raw.stripe_charges order by id');
  const before = await versions();
  expect(await account.sync('charges', { full: true, now: minute(5) })).toMatchObject({ changed: 0 });
  expect(await versions()).toEqual(before);
});

test('a position that is older than Stripe keeps events is followed by a full sweep', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: [charge('ch_1')] });
  await account.sync('charges');
  await account.serve(
    { charges: [charge('ch_1', { amount: 77 })], events: [] },
    { now: '2026-12-25T00:00:00Z' },
  );
  await account.sync('charges', { now: '2026-12-25T00:00:00Z' });
  expect(await account.rows('charges', 'amount')).toEqual([{ amount: '0.77' }]);
});

test('two accounts under one key with equal ids do not mix, and neither do two brands', async () => {
  await using db = await freshDb();
  const accounts = {
    acct_brand: { key: 'rk_test_brand', connected: ['acct_a', 'acct_b'] },
    acct_a: {},
    acct_b: {},
  };
  await using first = await anAccountOf(
    db,
    {
      'stripe/acct_a/charges.ndjson': [charge('ch_1', { amount: 100 })],
      'stripe/acct_b/charges.ndjson': [charge('ch_1', { amount: 200 }), charge('ch_2', { amount: 300 })],
    },
    { stripe: accounts },
    { account: 'acct_a', auth: 'connected', secret: 'rk_test_brand' },
  );
  const { brandId } = first;
  const shared = { auth: 'connected', secret: 'rk_test_brand' };
  const second = await connectStripe(db, first.sandbox, { ...shared, brandId, account: 'acct_b' });
  const other = await connectStripe(db, first.sandbox, { ...shared, account: 'acct_b' });
  for (const connection of [first, second, other]) await connection.sync('charges');
  expect(await first.rows('charges', 'id, amount')).toEqual([{ id: 'ch_1', amount: '1' }]);
  const rows = [
    { id: 'ch_1', amount: '2' },
    { id: 'ch_2', amount: '3' },
  ];
  expect(await second.rows('charges', 'id, amount')).toEqual(rows);
  expect(await other.rows('charges', 'id, amount')).toEqual(rows);
});

test('refunds, disputes, payouts and balance transactions are stored', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 3 * DAY;
  await using account = await anAccountOf(db, {
    charges: [charge('ch_1', { created })],
    refunds: [{ id: 're_1', amount: 400, currency: 'usd', created, charge: 'ch_1', status: 'failed' }],
    disputes: [{ id: 'dp_1', amount: 1_000, currency: 'usd', created, charge: 'ch_1' }],
    balance_transactions: [
      { id: 'txn_1', amount: 1_000, fee: 59, currency: 'usd', created, source: 'ch_1', _payout: 'po_1' },
      { id: 'txn_2', amount: -941, currency: 'usd', created: created + 60, source: 'po_1', _payout: 'po_1' },
    ],
    payouts: [{ id: 'po_1', amount: 941, currency: 'usd', created: created + 60 }],
  });
  for (const stream of ['refunds', 'disputes', 'balance_transactions', 'payouts']) {
    expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  }
  expect(await account.rows('refunds', 'id, status, amount, charge_id')).toEqual([
    { id: 're_1', status: 'failed', amount: '4', charge_id: 'ch_1' },
  ]);
  expect(await account.rows('disputes', 'id, amount, charge_id')).toEqual([
    { id: 'dp_1', amount: '10', charge_id: 'ch_1' },
  ]);
  expect(await account.rows('payouts', 'id, amount, status, automatic')).toEqual([
    { id: 'po_1', amount: '9.41', status: 'paid', automatic: true },
  ]);
  expect(
    await account.rows('balance_transactions', 'id, reporting_category, amount, fee, net, source_id'),
  ).toEqual([
    { id: 'txn_1', reporting_category: 'charge', amount: '10', fee: '0.59', net: '9.41', source_id: 'ch_1' },
    { id: 'txn_2', reporting_category: 'payout', amount: '-9.41', fee: '0', net: '-9.41', source_id: 'po_1' },
  ]);
});
