import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { dyingAfter } from '../support/providers/shopify.ts';
import { charge, KEY, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const CREATED = NOW_SECONDS - 3 * 86_400;
const LEDGER = [
  { id: 'txn_1', amount: 1_000, fee: 59, currency: 'usd', source: 'ch_1', _payout: 'po_1' },
  { id: 'txn_2', amount: -200, currency: 'usd', source: 're_1', _payout: 'po_1' },
  { id: 'txn_3', amount: -741, currency: 'usd', source: 'po_1', _payout: 'po_1' },
  { id: 'txn_4', amount: 1_250, currency: 'kwd', source: 'ch_2', available_on: NOW_SECONDS + 86_400 },
];
const FILES = {
  charges: [charge('ch_1', { created: CREATED }), charge('ch_2', { created: CREATED, currency: 'kwd' })],
  refunds: [{ id: 're_1', amount: 200, currency: 'usd', created: CREATED, charge: 'ch_1' }],
  balance_transactions: LEDGER.map((row, index) => ({ created: CREATED + index, ...row })),
  payouts: [{ id: 'po_1', amount: 741, currency: 'usd', created: CREATED + 60 }],
};
const CHECKS =
  'select check_name as name, trim_scale(expected)::text as expected, trim_scale(found)::text as found, ok from ops.completeness order by 1';

test('the ledger makes the balance that Stripe says there is, in each currency', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  expect(await account.sync('balance_transactions')).not.toHaveProperty('incomplete');
  expect(await db.rows(CHECKS)).toEqual([
    { name: 'balance KWD', expected: '1.25', found: '1.25', ok: true },
    { name: 'balance USD', expected: '0', found: '0', ok: true },
  ]);
});

test('a balance that differs is stored with both figures, and the run is not whole', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await account.faults({ kind: 'balance_off', currency: 'usd', amount: 5 });
  const { incomplete } = await account.sync('balance_transactions');
  expect(incomplete).toContain("Stripe's balance is 0.05 USD");
  expect(await db.rows(CHECKS)).toContainEqual({
    name: 'balance USD',
    expected: '0.05',
    found: '0',
    ok: false,
  });
});

test('without the permission to read the balance the ledger is read, and the check is said to be missing', async () => {
  await using db = await freshDb();
  const key = { key: KEY, permissions: ['rak_balance_transaction_source_read'] };
  await using account = await anAccountOf(db, FILES, { stripe: { acct_acme: { key } } });
  expect((await account.sync('balance_transactions')).warning).toContain('not checked');
  expect(await account.rows('balance_transactions', 'id')).toHaveLength(4);
});

test('a payout is the sum of its balance transactions, which then know it', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await account.sync('balance_transactions');
  expect(await account.sync('payouts')).not.toHaveProperty('incomplete');
  expect(await db.rows(CHECKS)).toContainEqual({
    name: 'payout po_1',
    expected: '7.41',
    found: '7.41',
    ok: true,
  });
  const paid = [
    { id: 'txn_1', payout_id: 'po_1' },
    { id: 'txn_2', payout_id: 'po_1' },
    { id: 'txn_3', payout_id: null },
    { id: 'txn_4', payout_id: null },
  ];
  expect(await account.rows('balance_transactions', 'id, payout_id')).toEqual(paid);
  expect(await account.sync('balance_transactions', { full: true })).toMatchObject({ changed: 0 });
  expect(await account.rows('balance_transactions', 'id, payout_id')).toEqual(paid);
});

test('during a first load of payouts no rollup of what they contain competes with it', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const rollups = () =>
    db.column(
      "select run_at > now() + interval '1 minute' from graphile_worker.jobs where task_identifier = 'rollup'",
    );
  for (let commits = 1; (await rollups()).length === 0; commits++)
    await expect(account.sync('payouts', {}, dyingAfter(db, commits))).rejects.toThrow('the machine is gone');
  expect(await rollups()).toEqual([true]);
});

test('a payout of another amount than its balance transactions is shown', async () => {
  await using db = await freshDb();
  const payouts = [{ id: 'po_1', amount: 700, currency: 'usd', created: CREATED + 60 }];
  await using account = await anAccountOf(db, { ...FILES, payouts });
  expect((await account.sync('payouts')).incomplete).toContain('payout po_1 is 7 USD');
  expect(await db.rows(CHECKS)).toEqual([{ name: 'payout po_1', expected: '7', found: '7.41', ok: false }]);
});

test('a charge that the ledger names and nobody ever brought is found', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await account.faults({ kind: 'late_rows', ids: ['ch_2'], requests: 2 });
  await account.sync('charges');
  await account.sync('refunds');
  expect((await account.sync('balance_transactions')).incomplete).toContain('such as ch_2');
  const counts = (await db.rows(CHECKS)).filter(({ name }) => /^(charges|refunds)/.test(String(name)));
  expect(counts).toEqual([
    { name: 'charges of 35 days', expected: '2', found: '1', ok: false },
    { name: 'refunds of 35 days', expected: '1', found: '1', ok: true },
  ]);
  await account.faults();
  await account.sync('charges', { full: true });
  expect(await account.sync('balance_transactions')).not.toHaveProperty('incomplete');
});

test('the ledger is complete up to half a minute before it was listed', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  await account.sync('balance_transactions');
  expect(await db.column('select complete_to from ops.positions')).toEqual([
    new Date((NOW_SECONDS - 30) * 1000),
  ]);
});
