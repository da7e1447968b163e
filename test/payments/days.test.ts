/** Which day and whose cash it is, and what the balance at the end of it comes to. */
import { expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { freshDb } from '../support/db/db.ts';
import { anAccount, booked, created, DAY, later, STREAMS, second } from '../support/providers/cash.ts';
import { ACCOUNT, charge, KEY } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { aRetailer } from '../support/rows/factory.ts';
import { figures } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

test('the balance at the end of a day is what Stripe says it is, in each currency', async () => {
  await using db = await freshDb();
  const ages = [40, 30, 12, 11, 10, 3, 2, 1, 0];
  const transactions = ages.flatMap((days, index) =>
    ['usd', 'eur', 'jpy'].map((currency) =>
      booked({
        ...{ id: `txn_${days}${currency}`, at: second('2026-11-20T05:00:00Z') - days * 86_400, currency },
        ...{
          amount: index % 3 === 2 ? -777 : 1_001 + index,
          fee: index,
          type: index % 3 === 2 ? 'payout' : 'charge',
        },
        ...(days < 4 ? { available_on: second('2026-11-25T00:00:00Z') } : {}),
      }),
    ),
  );
  await using cash = await anAccount(db, { balance_transactions: transactions });
  await cash.roll();
  const answer = await fetch(`${cash.account.sandbox.url}/stripe/v1/balance`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  const { available, pending } = (await answer.json()) as Record<
    string,
    { amount: number; currency: string }[]
  >;
  const sums: Record<string, number> = {};
  for (const { amount, currency } of [...(available ?? []), ...(pending ?? [])])
    sums[currency.toUpperCase()] = (sums[currency.toUpperCase()] ?? 0) + amount;
  const closing = await db.rows<{ currency: string; minor: string }>(
    `select distinct on (currency) currency,
            trim_scale(closing_balance * case currency when 'JPY' then 1 else 100 end) as minor
     from bi.daily_payments where brand_id = $1 order by currency, day desc`,
    [cash.owner.brandId],
  );
  expect(Object.fromEntries(closing.map(({ currency, minor }) => [currency, Number(minor)]))).toEqual(sums);
});

test('a booking belongs to the day that the brand’s clock shows, also where the clock changes', async () => {
  await using db = await freshDb();
  // New York leaves summer time on 2026-11-01 at 06:00 UTC: that day is 25 hours long.
  const edges = [
    '2026-11-01T03:59:59Z',
    '2026-11-01T04:00:00Z',
    '2026-11-02T04:59:59Z',
    '2026-11-02T05:00:00Z',
  ];
  const files = {
    charges: edges.map((at, index) => charge(`ch_${index}`, { created: second(at), status: 'failed' })),
    balance_transactions: edges.map((at, index) =>
      booked({ id: `txn_${index}`, at: second(at), amount: 10 ** index, type: 'charge' }),
    ),
  };
  await using cash = await anAccount(db, files, 'America/New_York');
  await cash.roll();
  expect(await cash.days('charge_amount, failed_charges')).toEqual([
    { day: '2026-10-31', currency: 'USD', charge_amount: '0.01', failed_charges: 1 },
    { day: '2026-11-01', currency: 'USD', charge_amount: '1.1', failed_charges: 2 },
    { day: '2026-11-02', currency: 'USD', charge_amount: '10', failed_charges: 1 },
  ]);
});

test('two accounts with equal ids do not mix, in two brands or in two retailers of one', async () => {
  await using db = await freshDb();
  const files = (amount: number, at = created) => ({
    charges: [charge('ch_1', { created: at, amount })],
    balance_transactions: [booked({ id: 'txn_1', source: 'ch_1', amount, at })],
  });
  await using mine = await anAccount(db, files(1_000));
  await using theirs = await anAccount(db, files(2_000, later));
  const sister = await aRetailer(db, { brandId: mine.owner.brandId });
  const owner = { brandId: mine.owner.brandId, retailerId: sister.id, account: `${ACCOUNT}2` };
  const scenario = { stripe: { [`${ACCOUNT}2`]: { key: KEY } } };
  const moved = Object.fromEntries(
    Object.entries(files(4_000)).map(([name, rows]) => [`stripe/${ACCOUNT}2/${name}.ndjson`, rows]),
  );
  await using other = await anAccountOf(db, moved, scenario, owner);
  for (const stream of STREAMS) await other.sync(stream);
  await runTask(rollup, { brandId: owner.brandId, retailerId: owner.retailerId }, db);
  await mine.roll();
  await theirs.roll();
  const closing = 'charges, charge_amount, closing_balance';
  const row = { currency: 'USD', charges: 1 };
  expect(
    (await mine.days(closing)).sort((a, b) => Number(a.charge_amount) - Number(b.charge_amount)),
  ).toEqual([
    { ...row, day: DAY, charge_amount: '10', closing_balance: '10' },
    { ...row, day: DAY, charge_amount: '40', closing_balance: '40' },
  ]);
  expect(await theirs.days(closing)).toEqual([
    { ...row, day: '2026-11-15', charge_amount: '20', closing_balance: '20' },
  ]);
});

test('what changes at Stripe moves only its days, and a second run writes nothing', async () => {
  await using db = await freshDb();
  const failed = charge('ch_1', { created, amount: 1_000, status: 'failed' });
  const early = booked({ id: 'txn_0', amount: 500, type: 'charge', at: created - 5 * 86_400 });
  await using cash = await anAccount(db, { charges: [failed], balance_transactions: [early] });
  expect(await cash.roll()).toMatchObject({ days: 2, written: 2 });
  expect(await cash.days('failed_charges, charges')).toEqual([
    { day: '2026-11-05', currency: 'USD', charges: 1 },
    { day: DAY, currency: 'USD', failed_charges: 1 },
  ]);
  await cash.account.serve({
    charges: [charge('ch_1', { created, amount: 1_000, captured: false })],
    balance_transactions: [early],
  });
  await cash.account.sync('charges', { full: true });
  expect(await runTask(rollup, cash.owner, db)).toMatchObject({ days: 1, written: 0, deleted: 1 });
  const range = { from: '2026-11-01', to: '2026-11-20' };
  expect(await runTask(rollup, { ...cash.owner, ...range }, db)).toMatchObject({ written: 0, deleted: 0 });
  expect(await figures(db, 'daily_payments', 'day')).toEqual([{ day: '2026-11-05' }]);
});
