/** Checks over the last weeks that failed, when these weeks are over. */
import { expect, test } from 'vitest';
import { failedChecks } from '#sql/load/checks.ts';
import { freshDb } from '../support/db/db.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

test('what was missing is looked for until it is there, and then the check ends', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 86_400;
  await using account = await anAccountOf(db, {
    charges: [charge('ch_1', { created })],
    balance_transactions: [{ id: 'txn_1', amount: 1_000, currency: 'usd', source: 'ch_1', created }],
  });
  const { brandId, connectionId } = account;
  const stream = 'stripe.balance_transactions';
  const failed = async () =>
    (await failedChecks(db, { brandId, connectionId }, [stream])).map(({ name }) => name);
  const sync = (daysLater: number) =>
    account.sync('balance_transactions', {
      now: new Date((NOW_SECONDS + daysLater * 86_400) * 1000).toISOString(),
    });
  await account.sync('charges');
  await db.query('update raw.stripe_charges set id = $1', ['ch_lost']);
  expect(await sync(0)).toHaveProperty('incomplete');
  expect(await failed()).toEqual(['charges of 35 days']);
  expect(await sync(40)).toHaveProperty('incomplete'); // it is missing still
  expect(await failed()).toEqual(['charges of 35 days']);
  await db.query('update raw.stripe_charges set id = $1', ['ch_1']);
  expect(await sync(41)).not.toHaveProperty('incomplete');
  expect(await failed()).toEqual([]);
});

test('a check of what is gone ends with it', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  const { brandId, connectionId } = account;
  await db.query(
    `insert into ops.completeness
     select $1, $2, 'stripe.balance_transactions', 'refunds of 35 days', 1, 0, false, 'one is missing', $3, $3`,
    [brandId, connectionId, new Date(NOW_SECONDS * 1000)],
  );
  expect(await account.sync('balance_transactions')).not.toHaveProperty('incomplete');
});

test.each([
  ['balance_transactions', 'balance USD of risk_reserved', {}],
  ['charges', 'listed charges of 35 days in JPY', { reconcile: true }],
  ['payouts', 'payout po_1', {}],
])('a check of %s that fails ends when nothing is left to compare: %s', async (name, check, payload) => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  const { brandId, connectionId } = account;
  await account.sync(name);
  await db.query(
    `insert into ops.completeness
     select $1, $2, 'stripe.' || $3::text, $4, 1, 0, false, 'one is missing', $5, $5`,
    [brandId, connectionId, name, check, new Date(NOW_SECONDS * 1000)],
  );
  expect(await account.sync(name, payload)).not.toHaveProperty('incomplete');
});

test('a currency of which nothing is left is reconciled in the run that finds it gone', async () => {
  await using db = await freshDb();
  const [dollars, yen] = [charge('ch_1'), charge('ch_2', { currency: 'jpy' })];
  await using account = await anAccountOf(db, { charges: [dollars, yen] });
  await account.sync('charges');
  await account.serve({ charges: [dollars] });
  expect(await account.sync('charges', { reconcile: true })).toHaveProperty('incomplete');
  const failed = 'select check_name from ops.completeness where not ok';
  expect(await db.column(failed)).toEqual([]);
  expect(await account.sync('charges', { reconcile: true })).not.toHaveProperty('incomplete');
});
