/** One run for all streams of an account: what it costs when nothing happened, and what it reads when something did. */
import { expect, test } from 'vitest';
import { freshDb } from '../../support/db/db.ts';
import { KEY, NOW, NOW_SECONDS } from '../../support/providers/stripe.ts';
import { FILES, firstLoad, HOUR, hours, STREAMS, statesOf } from '../../support/providers/stripe_account.ts';
import { anAccountOf, connectStripe } from '../../support/providers/stripe_sync.ts';

const LARGE = { balanceTransactions: 4_000, from: '2025-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' };

test.each([
  ['a small account', FILES, {}],
  ['a ledger of thousands', {}, { stripe: { acct_acme: { key: KEY, synthetic: LARGE } } }],
])('an hour in which nothing happened costs three requests at most: %s', async (_, files, scenario) => {
  await using db = await freshDb();
  await using one = await anAccountOf(db, files, scenario);
  const other = await connectStripe(db, one.sandbox);
  for (const account of [one, other]) await firstLoad(db, account);
  const stored = await db.column('select count(*) from raw.stripe_balance_transactions where brand_id = $1', [
    one.brandId,
  ]);
  await one.syncAll({ now: hours(1) }); // what happened just before the first load
  for (const hour of [2, 3]) {
    const before = (await one.asked()).length;
    const tally = await one.syncAll({ now: hours(hour) });
    const asked = (await one.asked()).slice(before);
    expect(asked.length, asked.join('\n')).toBeLessThanOrEqual(3);
    expect(tally).toMatchObject({ read: 0, changed: 0, quiet: STREAMS.length, requests: asked.length });
    expect(tally).not.toHaveProperty('incomplete');
    for (const { stream, state, complete_to, last_success_at } of await statesOf(db, one)) {
      expect({ stream, state, last_success_at }).toEqual({
        ...{ stream, state: 'ok', last_success_at: new Date(hours(hour)) },
      });
      expect(complete_to, String(stream)).toBeInstanceOf(Date);
      expect((complete_to as Date).getTime()).toBeGreaterThanOrEqual(Date.parse(hours(hour)) - 60_000);
    }
  }
  expect(
    await db.column('select count(*) from graphile_worker.jobs where task_identifier <> $1', ['rollup']),
  ).toEqual([0]);
  const rows = 'select count(*) from raw.stripe_balance_transactions where brand_id = $1';
  expect(await db.column(rows, [one.brandId])).toEqual(stored);
  const late = (await statesOf(db, other)).filter(({ last_success_at }) => last_success_at !== new Date(NOW));
  expect(late).toHaveLength(STREAMS.length); // the other brand is where it was
});

test('what moved no balance and has no event of its own is read when the balance does not prove it', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await firstLoad(db, account);
  for (const hour of [1, 2]) await account.syncAll({ now: hours(hour) });
  // A booking of Stripe's own, of which no event tells.
  const fee = {
    id: 'txn_5',
    amount: -30,
    currency: 'usd',
    type: 'stripe_fee',
    created: NOW_SECONDS + 2.5 * HOUR,
  };
  const files = {
    ...FILES,
    balance_transactions: [...(FILES.balance_transactions as object[]), fee],
    events: [],
  };
  await account.serve(files, { now: hours(3) });
  expect(await account.syncAll({ now: hours(3) })).toMatchObject({ changed: 1 });
  expect(await account.rows('balance_transactions', 'id')).toHaveLength(5);
});

test('two bookings that cancel each other out, of which no event tells, are read within a day', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) {
    await firstLoad(db, one);
    for (const hour of [1, 2]) await one.syncAll({ now: hours(hour) });
  }
  const at = NOW_SECONDS + 2.5 * HOUR;
  const fees = [-30, 30].map((amount, index) => ({
    ...{ id: `txn_fee_${index}`, amount, currency: 'usd', type: 'stripe_fee', created: at + index },
  }));
  const ledger = [...(FILES.balance_transactions as object[]), ...fees];
  await account.serve({ ...FILES, balance_transactions: ledger, events: [] }, { now: hours(26) });
  expect(await account.syncAll({ now: hours(3) })).toMatchObject({ changed: 0 });
  await account.syncAll({ now: hours(26) });
  expect(await account.rows('balance_transactions', 'id')).toHaveLength(6);
  expect(await other.rows('balance_transactions', 'id')).toHaveLength(4);
});

test('two bookings that cancel each other out are read because of their events', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await firstLoad(db, account);
  for (const hour of [1, 2]) await account.syncAll({ now: hours(hour) });
  const at = NOW_SECONDS + 2.5 * HOUR;
  const undone = [
    { id: 'txn_5', amount: -500, currency: 'usd', type: 'payout', source: 'po_2', created: at },
    { id: 'txn_6', amount: 500, currency: 'usd', type: 'payout_cancel', source: 'po_2', created: at + 60 },
  ];
  const files = {
    ...FILES,
    balance_transactions: [...(FILES.balance_transactions as object[]), ...undone],
    payouts: [
      ...(FILES.payouts as object[]),
      { id: 'po_2', amount: 500, currency: 'usd', created: at, status: 'canceled', automatic: false },
    ],
  };
  await account.serve(files, { now: hours(3) });
  await account.syncAll({ now: hours(3) });
  expect(await account.rows('balance_transactions', 'id')).toHaveLength(6);
  expect(await account.rows('payouts', 'id, status')).toContainEqual({ id: 'po_2', status: 'canceled' });
});
