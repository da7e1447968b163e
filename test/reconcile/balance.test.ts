/** The balance against the ledger of an account in motion, in all its types and currencies. */
import { expect, test } from 'vitest';
import { lookUp } from '#sql/db/planner.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { sumsText } from '../../connectors/kit/stored/sums.ts';
import { LEDGER } from '../../connectors/stripe/ledger/balance.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Asked, by, type FakeProvider, fakeProvider, json } from '../support/providers/provider.ts';
import { dyingAfter } from '../support/providers/shopify.ts';
import { ACCOUNT, charge, KEY, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { aConnection, testKeyring } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

type Booked = { id: string; net: number; created: number; currency?: string; balance_type?: string };

const LONG_AGO = NOW_SECONDS - 86_400;
const amounts = (...entries: [currency: string, amount: number][]) =>
  entries.map(([currency, amount]) => ({ currency, amount }));
const usd = (amount: number) => ({ available: amounts(['usd', amount]), pending: [] });

/** An account whose answers a test works out itself, one request after the other. */
async function anAccount(
  db: TestDb,
  answers: { balance(times: number): object; ledger(times: number): Booked[] },
) {
  const times = { balance: 0, ledger: 0 };
  const answer = ({ path }: Asked) => {
    if (path.startsWith('/v1/account')) return json({ object: 'account', id: ACCOUNT });
    if (path.startsWith('/v1/balance?') || path === '/v1/balance')
      return json({ object: 'balance', livemode: false, ...answers.balance(++times.balance) });
    return json({ object: 'list', has_more: false, data: answers.ledger(++times.ledger).map(transaction) });
  };
  const provider: FakeProvider = await fakeProvider(by(answer));
  const place = { provider: 'stripe', account: ACCOUNT, auth: 'key', secret: KEY } as const;
  const { brandId, id: connectionId } = await aConnection(db, { ...place, baseUrl: provider.url });
  const which = { brandId, connectionId, stream: 'stripe.balance_transactions', now: NOW };
  return {
    times,
    sync: () => runTask(syncStream, which, db, { services: testKeyring }),
    [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
  };
}

function transaction({ net, currency = 'usd', ...booked }: Booked): object {
  const type = { type: 'adjustment', reporting_category: 'other_adjustment', status: 'available' };
  const money = { amount: net, fee: 0, net, currency, exchange_rate: null, source: null };
  return { object: 'balance_transaction', ...type, ...money, available_on: booked.created, ...booked };
}

const CHECKS = `select check_name as name, trim_scale(expected)::text as expected, trim_scale(found)::text as found,
  ok, cause from ops.completeness order by 1`;

test('what is booked after the balance was asked for is in the list and not in the balance, which is not a fault', async () => {
  await using db = await freshDb();
  await using account = await anAccount(db, {
    balance: () => usd(1_000),
    ledger: () => [
      { id: 'txn_2', net: 250, created: NOW_SECONDS - 5 }, // Stripe's clock is behind ours
      { id: 'txn_1', net: 1_000, created: LONG_AGO },
    ],
  });
  expect(await account.sync()).not.toHaveProperty('incomplete');
  expect(await db.rows(CHECKS)).toEqual([
    { name: 'balance USD', expected: '10', found: '10', ok: true, cause: null },
  ]);
  expect(account.times.balance).toBe(1);
});

test('what is in the balance before it is listed is waited for', async () => {
  await using db = await freshDb();
  const [old, fresh] = [
    { id: 'txn_1', net: 1_000, created: LONG_AGO },
    { id: 'txn_2', net: 250, created: NOW_SECONDS - 5 },
  ];
  await using account = await anAccount(db, {
    balance: () => usd(1_250),
    ledger: (times) => (times > 2 ? [fresh, old] : [old]), // the first load, and the list after it
  });
  expect(await account.sync()).not.toHaveProperty('incomplete');
  expect(account.times.balance).toBe(2);
});

test('of transactions in one second any part may be in the balance, but nothing that is missing from before', async () => {
  await using db = await freshDb();
  let balance = 1_200;
  await using account = await anAccount(db, {
    balance: () => usd(balance),
    ledger: () => [
      { id: 'txn_3', net: 200, created: NOW_SECONDS },
      { id: 'txn_2', net: 100, created: NOW_SECONDS },
      { id: 'txn_1', net: 1_000, created: LONG_AGO },
    ],
  });
  expect(await account.sync()).not.toHaveProperty('incomplete');
  expect(account.times.balance).toBe(3);
  expect(await db.rows(CHECKS)).toMatchObject([{ expected: '12', found: '13', ok: true }]);
  expect((await db.rows(CHECKS))[0]?.cause).toContain('at most what was booked');
  balance = 1_301;
  expect((await account.sync()).incomplete).toContain("Stripe's balance is 13.01 USD");
});

test('what is booked in one currency explains no difference in another', async () => {
  await using db = await freshDb();
  await using account = await anAccount(db, {
    balance: () => ({ available: amounts(['usd', 1_400], ['eur', 400]), pending: [] }),
    ledger: () => [
      { id: 'txn_2', net: 400, currency: 'eur', created: NOW_SECONDS },
      { id: 'txn_1', net: 1_000, created: LONG_AGO },
    ],
  });
  expect((await account.sync()).incomplete).toContain("Stripe's balance is 14 USD");
});

test('each type of balance is held to its own transactions, each currency in its own places', async () => {
  await using db = await freshDb();
  await using account = await anAccount(db, {
    balance: () => ({
      available: amounts(['usd', 700], ['jpy', 500], ['eur', 0]),
      pending: amounts(['usd', 300], ['kwd', 1_250]),
      instant_available: amounts(['usd', 600]), // a part of what is available
      connect_reserved: amounts(['usd', 90]),
      refund_and_dispute_prefunding: usd(40),
      issuing: { available: amounts(['usd', 1]) }, // says nothing of what is pending in it
    }),
    ledger: () =>
      [
        { id: 'txn_1', net: 1_090 },
        { id: 'txn_2', net: 500, currency: 'jpy' },
        { id: 'txn_3', net: 1_250, currency: 'kwd' },
        { id: 'txn_4', net: 40, balance_type: 'refund_and_dispute_prefunding' },
        { id: 'txn_5', net: 77, balance_type: 'risk_reserved' },
      ].map((booked) => ({ created: LONG_AGO, ...booked })),
  });
  const { incomplete, warning } = await account.sync();
  expect(incomplete).toContain(
    'sum to 10.9; 0.9 USD are held back for connected accounts', // who looks for it finds it
  );
  expect(warning).toContain('no balance of risk_reserved');
  expect(await db.rows(CHECKS)).toMatchObject([
    { name: 'balance EUR', expected: '0', found: '0', ok: true },
    { name: 'balance JPY', expected: '500', found: '500', ok: true },
    { name: 'balance KWD', expected: '1.25', found: '1.25', ok: true },
    { name: 'balance USD', expected: '10', found: '10.9', ok: false },
    { name: 'balance USD of refund_and_dispute_prefunding', expected: '0.4', found: '0.4', ok: true },
  ]);
});

test('a payout of more transactions than fit on a page is summed once, also when it is read twice', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 3 * 86_400;
  const parts = Array.from({ length: 250 }, (_, index) => index);
  await using account = await anAccountOf(db, {
    charges: parts.map((index) => charge(`ch_${index}`, { created })),
    balance_transactions: parts.map((index) => ({
      ...{ id: `txn_${index}`, amount: 1_000, fee: 3, currency: 'usd', created },
      ...{ source: `ch_${index}`, _payout: 'po_1' },
    })),
    payouts: [{ id: 'po_1', amount: 249_250, currency: 'usd', created: created + 60 }],
  });
  await expect(account.sync('payouts', {}, dyingAfter(db, 3))).rejects.toThrow('the machine is gone');
  expect(await db.column('select check_name from ops.completeness')).toEqual([]);
  expect(await account.sync('payouts')).not.toHaveProperty('incomplete');
  expect(await db.rows(CHECKS)).toMatchObject([{ name: 'payout po_1', expected: '2492.5', ok: true }]);
  const paid = "select count(*)::int from raw.stripe_balance_transactions where payout_id = 'po_1'";
  expect(await db.column(paid)).toEqual([250]);
});

test('a payout by hand is held to its own booking', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 3 * 86_400;
  await using account = await anAccountOf(db, {
    balance_transactions: [
      { id: 'txn_1', amount: -500, currency: 'usd', created, source: 'po_1' },
      { id: 'txn_2', amount: -300, currency: 'usd', created, source: 'po_2' },
    ],
    payouts: [
      { id: 'po_1', amount: 500, currency: 'usd', created, automatic: false },
      { id: 'po_2', amount: 301, currency: 'usd', created, automatic: false },
    ],
  });
  await account.sync('payouts');
  expect((await account.sync('balance_transactions')).incomplete).toContain('such as po_2');
  const of =
    "select expected::int, found::int, ok from ops.completeness where check_name = 'payouts of 35 days'";
  expect(await db.rows(of)).toEqual([{ expected: 2, found: 1, ok: false }]);
});

test('the sum of a large ledger comes out of the index alone', async () => {
  await using db = await freshDb();
  const { brandId, id } = await aConnection(db, { provider: 'stripe', account: ACCOUNT, auth: 'key' });
  await db.query(
    `insert into raw.stripe_balance_transactions
       (brand_id, connection_id, id, type, reporting_category, balance_type, status, currency, amount, fee, net,
        available_on, created_at, payload, changed_at, seen_at)
     select $1, $2, 'txn_' || n, 'charge', 'charge', 'payments', 'available', 'USD', 10, 1, 9, at, at,
            jsonb_build_object('filler', repeat('x', 1500)), at, at
     from generate_series(1, 20000) n, lateral (select timestamptz '2026-01-01' + n * interval '1 minute') t (at)`,
    [brandId, id],
  );
  const values = [brandId, id, new Date(NOW), ['payments'], ['USD'], ['180000']];
  const text = sumsText(LEDGER);
  expect(await lookUp(db, text, values)).toMatchObject([{ isEqual: true, found: '180000' }]);
  // Whatever PostgreSQL knows of the table: nothing now, everything later.
  const planned = async () =>
    (await lookUp(db, `explain ${text}`, values)).map((row) => Object.values(row)[0]);
  const plans = await planned();
  await db.query('analyze raw.stripe_balance_transactions');
  plans.push(...(await planned()));
  const plan = plans.join('\n');
  expect(plan).toContain('Index Only Scan using stripe_balance_transactions_by_time');
  expect(plan).not.toMatch(/(Seq|Bitmap Heap|Index) Scan (using \w+ )?on stripe_balance_transactions/);
});

test('what Stripe names a currency or a type of balance is never told as it came', async () => {
  await using db = await freshDb();
  const secret = `rk_live_${'5'.repeat(24)}`;
  const type = `${secret} ${'x'.repeat(3_000)}`;
  await using account = await anAccount(db, {
    balance: () => ({
      available: amounts(['usd', 1_000], [secret, 5]),
      pending: [],
      [type]: { available: amounts(['usd', 70]), pending: [] },
    }),
    ledger: () => [{ id: 'txn_1', net: 1_000, created: LONG_AGO }],
  });
  const tally = await account.sync();
  expect(tally.warning).toContain('which does not exist');
  const checks = await db.rows<{ name: string; ok: boolean }>(CHECKS);
  expect(checks.map(({ ok }) => ok)).toEqual([true, false]);
  for (const { name } of checks) expect(name.length).toBeLessThan(120);
  expect(JSON.stringify([tally, checks])).not.toContain(secret);
});
