import { expect, test } from 'vitest';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { freshDb } from '../support/db/db.ts';
import { BOOKINGS, FAILED, MONEY_FILES } from '../support/money/account.ts';
import {
  booked,
  dailyPayments,
  major,
  type PaymentRow,
  paymentRows,
  rollUp,
} from '../support/money/money.ts';
import { post } from '../support/providers/sandbox.ts';
import { KEY } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { aBrand } from '../support/rows/factory.ts';

const STREAMS = ['charges', 'refunds', 'disputes', 'payouts', 'balance_transactions'];

type Account = Awaited<ReturnType<typeof connectStripe>>;

async function syncAll(account: Account, payload: object = {}) {
  for (const stream of STREAMS) {
    const tally = await account.sync(stream, payload);
    expect(tally, stream).toMatchObject({ rejected: 0 });
    expect(tally, stream).not.toHaveProperty('incomplete');
  }
}

/** What Stripe says there is, available and pending together. */
async function balance({ url }: { url: string }): Promise<Record<string, string>> {
  const answer = await fetch(`${url}/stripe/v1/balance`, { headers: { authorization: `Bearer ${KEY}` } });
  const body = (await answer.json()) as Record<
    'available' | 'pending',
    { currency: string; amount: number }[]
  >;
  const sums: Record<string, bigint> = {};
  for (const { currency, amount } of [...body.available, ...body.pending]) {
    const code = currency.toUpperCase();
    sums[code] = (sums[code] ?? 0n) + BigInt(amount);
  }
  return Object.fromEntries(Object.entries(sums).map(([code, sum]) => [code, major(sum, code)]));
}

function closing(rows: readonly PaymentRow[], settled: object): Record<string, unknown> {
  const last = Object.fromEntries(rows.map(({ currency, closing_balance }) => [currency, closing_balance]));
  return Object.fromEntries(Object.keys(settled).map((currency) => [currency, last[currency]]));
}

const row = (text: string): PaymentRow => {
  const [
    day,
    currency,
    charges,
    charged,
    refunds,
    refunded,
    disputes,
    disputed,
    failed,
    fees,
    net,
    payouts,
    paid,
    closing,
  ] = text.trim().split(/\s+/);
  return {
    ...{
      day: `2026-${day}`,
      currency: String(currency),
      charges: Number(charges),
      charge_amount: String(charged),
    },
    ...{ refunds: Number(refunds), refund_amount: String(refunded), disputes: Number(disputes) },
    ...{
      dispute_amount: String(disputed),
      failed_charges: Number(failed),
      fees: String(fees),
      net: String(net),
    },
    ...{ payouts: Number(payouts), payout_amount: String(paid), closing_balance: String(closing) },
  };
};

// Worked out on paper. London goes back by an hour on 25 October.
const LONDON = [
  //  day  cur  charges  amount refunds amount disputes amount failed fees net payouts amount closing
  row('10-23 GBP   3  241.1  0     0  0      0  1   6.29   234.81  0      0  234.81'),
  row('10-23 KWD   0      0  0     0  0      0  1      0        0  0      0       0'),
  row('10-24 GBP   1     80  0     0  0      0  0    1.4     78.6  0      0  313.41'),
  row('10-25 GBP   3  -4.99  0     0  0      0  0   0.98    -5.97  0      0  307.44'),
  row('10-26 GBP   1     20  2 120.5  0      0  1    0.4   -100.9  0      0  206.54'),
  row('10-27 GBP   0      0  0     0  2  122.1  0     30   -152.1  0      0   54.44'),
  row('10-28 GBP   0    -20  0   -40  0      0  0      0       20  1     30   44.44'),
  row('10-29 GBP   0      0  0     0  0      0  0      3   -17.23  0      0  427.21'),
  row('10-30 GBP   0      0  0     0  0    -60  0    -13      100  1    170  355.21'),
  row('11-02 GBP 130    130  0     0  0      0  0   27.3    102.7  0      0  457.91'),
  row('11-02 USD   0      0  0     0  0      0  3      0        0  0      0       0'),
  row('11-03 GBP   0      0  0     0  0      0  0   0.33    -0.33  0      0  457.58'),
  row('11-03 ISK   1   1500  0     0  0      0  0     45     1455  0      0    1455'),
  row('11-03 JPY   1   5000  0     0  0      0  0    180     4820  0      0    4820'),
  row('11-03 KWD   1  12.34  0     0  0      0  0  0.512   11.828  0      0  11.828'),
  row('11-03 UGX   1  50000  0     0  0      0  0   1500    48500  0      0   48500'),
  row('11-04 GBP   0      0  0     0  0      0  0      0        0  1  102.7  354.88'),
  row('11-05 GBP   0      0  0     0  0      0  0      0        0  1      0  354.88'),
];

test('every figure of every day is what one adds up by hand, and the last one is the balance of Stripe', async () => {
  expect(dailyPayments('Europe/London', BOOKINGS, FAILED)).toEqual(LONDON); // the two of us agree
  await using db = await freshDb();
  await using account = await anAccountOf(db, MONEY_FILES);
  await syncAll(account);
  await rollUp(db, account.brandId);
  const rows = await paymentRows(db, account.brandId);
  expect(rows).toEqual(LONDON);
  const settled = { GBP: '354.88', ISK: '1455', JPY: '4820', KWD: '11.828', UGX: '48500' };
  expect(await balance(account.sandbox)).toEqual(settled);
  expect(closing(rows, settled)).toEqual(settled);
});

const MOMENTS = [
  '2026-10-24T22:59:59', '2026-10-25T12:00:00', '2026-10-26T09:00:00', '2026-10-28T09:30:00',
  '2026-10-30T10:30:00', '2026-11-02T12:02:00', '2026-11-04T09:00:00', '2026-11-20T06:00:00',
]; // biome-ignore format: a few instants

test.each([
  ['stream by stream', false],
  ['all streams in one run', true],
])(
  'synced as time goes by it says at each moment what is true by then, and ends the same: %s',
  async (_, isOne) => {
    await using db = await freshDb();
    await using account = await anAccountOf(db, MONEY_FILES);
    await db.transaction((tx) => limitRequests(tx, account, 2_000)); // nobody waits here
    for (const moment of MOMENTS) {
      const now = `${moment}Z`;
      await post(account.sandbox, 'load', { dir: account.sandbox.dir, now });
      if (isOne && moment !== MOMENTS[0]) await account.syncAll({ now });
      else await syncAll(account, { now });
      await rollUp(db, account.brandId, now);
      const rows = await paymentRows(db, account.brandId);
      const soFar = BOOKINGS.filter(({ at }) => at <= moment);
      // The debit of 26 October is known to have failed from the 28th on only; events take a minute.
      const failed = FAILED.filter(
        ({ at }) => at <= moment && (at !== DEBIT || moment > '2026-10-28T09:01:00'),
      );
      expect(rows, moment).toEqual(dailyPayments('Europe/London', soFar, failed));
      const settled = await balance(account.sandbox);
      expect(closing(rows, settled), moment).toEqual(settled);
    }
    expect(await paymentRows(db, account.brandId)).toEqual(LONDON);
  },
);

const DEBIT = '2026-10-26T08:00:00';

// Brands over the same account; their clocks change on three different days, or never.
test.each(['America/New_York', 'Pacific/Auckland', 'Asia/Kolkata', 'Europe/London'])(
  'the days are those of the brand: %s',
  async (timeZone) => {
    await using db = await freshDb();
    const edges = [
      ...['2026-11-01T03:59:59', '2026-11-01T04:00:00', '2026-11-02T04:59:59', '2026-11-02T05:00:00'], // New York
      ...['2026-09-26T11:59:59', '2026-09-26T12:00:00', '2026-09-27T10:59:59', '2026-09-27T11:00:00'], // Auckland
      ...['2026-10-30T18:29:59', '2026-10-30T18:30:00'], // Kolkata
    ].map((at, index) => ({ id: `edge${index}`, at, category: 'other_adjustment', amount: 1 << index }));
    const bookings = [...BOOKINGS, ...edges];
    const lines = [...(MONEY_FILES.balance_transactions as object[]), ...edges.map(booked)];
    await using london = await anAccountOf(db, { ...MONEY_FILES, balance_transactions: lines });
    const { id: brandId } = await aBrand(db, { timeZone });
    const account = await connectStripe(db, london.sandbox, { brandId });
    await syncAll(account);
    await rollUp(db, brandId);
    expect(await paymentRows(db, brandId)).toEqual(dailyPayments(timeZone, bookings, FAILED));
    expect(await paymentRows(db, london.brandId)).toEqual([]);
  },
);

test('two accounts of two brands in which all ids are equal do not mix', async () => {
  await using db = await freshDb();
  const times = (factor: number) =>
    BOOKINGS.map((one) => ({ ...one, amount: one.amount * factor, fee: (one.fee ?? 0) * factor }));
  const payouts = (factor: number) =>
    (MONEY_FILES.payouts as { amount: number }[]).map((one) => ({ ...one, amount: one.amount * factor }));
  const files = Object.fromEntries(
    [['acct_a', 3] as const, ['acct_b', 7] as const].flatMap(([name, factor]) =>
      Object.entries({
        ...MONEY_FILES,
        balance_transactions: times(factor).map(booked),
        payouts: payouts(factor),
      }).map(([file, lines]) => [`stripe/${name}/${file}.ndjson`, lines]),
    ),
  );
  const scenario = { stripe: { acct_a: { key: 'rk_test_a' }, acct_b: { key: 'rk_test_b' } } };
  await using a = await anAccountOf(db, files, scenario, { account: 'acct_a', secret: 'rk_test_a' });
  const b = await connectStripe(db, a.sandbox, { account: 'acct_b', secret: 'rk_test_b' });
  for (const account of [a, b]) await syncAll(account);
  for (const { brandId } of [a, b]) await rollUp(db, brandId);
  expect(await paymentRows(db, a.brandId)).toEqual(dailyPayments('Europe/London', times(3), FAILED));
  expect(await paymentRows(db, b.brandId)).toEqual(dailyPayments('Europe/London', times(7), FAILED));
});
