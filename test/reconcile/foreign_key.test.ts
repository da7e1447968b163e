/** A key that may not tell whose it is takes nothing away of the account whose data are stored. */
import { expect, test } from 'vitest';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge, type Files, KEY, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { testSealer } from '../support/rows/factory.ts';

const ago = (days: number) => ({ created: NOW_SECONDS - days * 86_400 });
const charges = (...days: number[]) => days.map((one, index) => charge(`ch_${index}`, ago(one)));
const customers = (...days: number[]) => days.map((one, index) => ({ id: `cus_${index}`, ...ago(one) }));
const FOREIGN = {
  'stripe/acct_other/charges.ndjson': [charge('ch_foreign', ago(2))],
  'stripe/acct_other/customers.ndjson': [{ id: 'cus_foreign', ...ago(2) }],
  'stripe/acct_other/events.ndjson': [],
  events: [],
};
/** Each may read all that is needed here, but not the account itself. */
const keyOf = (key: string) => ({
  key: { key, permissions: ['rak_charge_read', 'rak_customer_read', 'rak_event_read'] },
});
const SILENT_KEYS = { stripe: { acct_acme: keyOf(KEY), acct_other: keyOf('rk_test_other') } };
const DOUBT = /seems to belong to another account than acct_acme.*Store the key of that account/;
const STORED = `select id || case when deleted_at is null then '' else ' gone' end from raw.stripe_charges
  where connection_id = $1 union all
  select id || case when deleted_at is null then '' else ' gone' end from raw.stripe_customers
  where connection_id = $1 order by 1`;

/** What was read with the key of the account, and a way to store another key. */
async function anAccountRead(db: TestDb, files: Files, scenario: object = SILENT_KEYS) {
  const account = await anAccountOf(db, { ...FOREIGN, ...files }, scenario);
  for (const stream of ['charges', 'customers']) await account.sync(stream);
  const which = { brandId: account.brandId, connectionId: account.connectionId };
  return {
    ...account,
    give: (key: string) => db.transaction((tx) => replaceSecret(tx, testSealer, which, key)),
    stored: () => db.column(STORED, [account.connectionId]),
    [Symbol.asyncDispose]: account[Symbol.asyncDispose],
  };
}

const state = (db: TestDb, id: string) =>
  db.column('select state from ops.positions where connection_id = $1 order by stream', [id]);

test.each([{ reconcile: true }, { full: true }])(
  'a key of another account neither deletes nor adds: %o',
  async (how) => {
    await using db = await freshDb();
    await using account = await anAccountRead(db, {
      charges: charges(1, 2, 3, 60),
      customers: customers(1, 2, 9),
    });
    const other = await connectStripe(db, account.sandbox); // another brand, the same account
    for (const stream of ['charges', 'customers']) await other.sync(stream);
    const before = await account.stored();
    await account.give('rk_test_other');
    for (const stream of ['charges', 'customers']) {
      const tally = await account.sync(stream, how);
      expect(tally).toMatchObject({ read: 0, deleted: 0, incomplete: expect.stringMatching(DOUBT) });
      expect(await other.sync(stream, how)).not.toHaveProperty('incomplete');
    }
    expect(await account.stored()).toEqual(before);
    expect(await state(db, account.connectionId)).toEqual(['partial', 'partial']);
    expect(await state(db, other.connectionId)).toEqual(['ok', 'ok']);

    // With its own key all is well again, although that one may not tell either.
    await account.give(KEY);
    for (const stream of ['charges', 'customers'])
      expect(await account.sync(stream, how)).not.toHaveProperty('incomplete');
    expect(await account.stored()).toEqual(before);
  },
);

test('a doubt that the reconciliation had stays until one finds the account', async () => {
  await using db = await freshDb();
  await using account = await anAccountRead(db, { charges: charges(1, 2, 3) });
  await account.give('rk_test_other');
  await account.sync('charges', { reconcile: true });
  await account.sync('charges');
  expect((await state(db, account.connectionId))[0]).toBe('partial');
  await account.give(KEY);
  await account.sync('charges', { reconcile: true });
  expect((await state(db, account.connectionId))[0]).toBe('ok');
});

test('of a small account the last one or two may be deleted', async () => {
  await using db = await freshDb();
  await using account = await anAccountRead(db, { customers: customers(1, 2) });
  await account.serve({ ...FOREIGN, customers: [] }, SILENT_KEYS);
  expect(await account.sync('customers', { reconcile: true })).toMatchObject({ deleted: 2 });
});

test('a key that may tell whose it is deletes all that is gone', async () => {
  await using db = await freshDb();
  const scenario = { stripe: { acct_acme: { key: KEY }, acct_other: {} } };
  await using account = await anAccountRead(db, { customers: customers(1, 2, 3, 4) }, scenario);
  await account.serve({ ...FOREIGN, customers: [] }, scenario);
  expect(await account.sync('customers', { reconcile: true })).toMatchObject({ deleted: 4 });
});

test('one that is there is enough, wherever it stands', async () => {
  await using db = await freshDb();
  await using account = await anAccountRead(db, { customers: customers(1, 2, 3, 4) });
  await account.serve({ ...FOREIGN, customers: customers(1, 2, 3, 4).slice(2, 3) }, SILENT_KEYS);
  expect(await account.sync('customers', { full: true })).toMatchObject({ deleted: 3 });
});
