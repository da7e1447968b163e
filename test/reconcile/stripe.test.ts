/** Holding what is stored of the last weeks against a fresh list: what differs is shown, and mended. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const at = (days: number) => ({ created: NOW_SECONDS - days * DAY });
const day = (days: number) => new Date((NOW_SECONDS - days * DAY) * 1000).toISOString().slice(0, 10);

const BEFORE = [charge('ch_1', at(3)), charge('ch_2', at(4)), charge('ch_3', { ...at(4), amount: 250 })];
/** As BEFORE, but ch_2 was never listed, ch_4 was missed and ch_1 changed; and no event tells of any of it. */
const AFTER = [charge('ch_1', { ...at(3), disputed: true }), BEFORE[2] ?? {}, charge('ch_4', at(5))];
const SILENT = { events: [] };

const STATE = 'select state from ops.positions where connection_id = $1';
const CHECKS = `select check_name as name, expected::float8, found::float8, ok from ops.completeness
  where connection_id = $1 order by 1`;

test('a change without an event is found by the reconciliation, shown, and mended', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: BEFORE, ...SILENT });
  const other = await connectStripe(db, account.sandbox); // another brand, the same account
  for (const one of [account, other]) await one.sync('charges');
  await account.serve({ charges: AFTER, ...SILENT });
  expect(await account.sync('charges')).toMatchObject({ changed: 0, deleted: 0 });

  const tally = await account.sync('charges', { reconcile: true });
  expect(tally).toMatchObject({ repaired: 3, deleted: 1 }); // ch_1, ch_2, ch_4
  expect(tally.incomplete).toContain(`${day(5)} (listed 1, stored 0)`);
  expect(tally.incomplete).toContain(`${day(4)} (listed 1, stored 2)`);
  expect(tally.incomplete).toContain(`${day(4)} (listed 2.5, stored 12.5)`);
  expect(await account.rows('charges', 'id, disputed, deleted_at is not null as gone')).toEqual([
    { id: 'ch_1', disputed: true, gone: false },
    { id: 'ch_2', disputed: false, gone: true },
    { id: 'ch_3', disputed: false, gone: false },
    { id: 'ch_4', disputed: false, gone: false },
  ]);
  expect(await db.column(STATE, [account.connectionId])).toEqual(['partial']);
  const history = 'select check_name, ok from ops.completeness_history where connection_id = $1 order by 1';
  expect(await db.rows(history, [account.connectionId])).toEqual([
    { check_name: 'listed charges of 35 days', ok: false },
    { check_name: 'listed charges of 35 days in USD', ok: false },
  ]);
  expect(await db.rows(CHECKS, [account.connectionId])).toEqual([
    { name: 'listed charges of 35 days', expected: 3, found: 3, ok: true },
    { name: 'listed charges of 35 days in USD', expected: 22.5, found: 22.5, ok: true },
  ]);

  // What was shown once is mended: the next run is whole.
  expect(await account.sync('charges')).not.toHaveProperty('incomplete');
  expect(await db.column(STATE, [account.connectionId])).toEqual(['ok']);
  expect(await account.sync('charges', { reconcile: true })).toMatchObject({ repaired: 0, changed: 0 });
  expect(await other.rows('charges', 'id')).toHaveLength(3);
  expect(await db.rows(CHECKS, [other.connectionId])).toEqual([]);
});

test('an event that shows up days too late costs nothing once the week is reconciled', async () => {
  await using db = await freshDb();
  const states = [
    charge('ch_1', at(9)),
    { ...charge('ch_1', at(9)), refunded: true, _at: NOW_SECONDS - DAY },
  ];
  await using account = await anAccountOf(
    db,
    { charges: states },
    { now: new Date((NOW_SECONDS - 2 * DAY) * 1000) },
  );
  await account.sync('charges', { now: new Date((NOW_SECONDS - 2 * DAY) * 1000).toISOString() });
  await account.serve({ charges: states });
  await account.faults({ kind: 'late_events', seconds: 10 * DAY });
  expect(await account.sync('charges')).toMatchObject({ changed: 0 });
  expect(await account.sync('charges', { reconcile: true })).toMatchObject({ repaired: 1 });
  expect(await account.rows('charges', "payload->>'refunded' as refunded")).toEqual([{ refunded: 'true' }]);
});

test('how often coupons and promotion codes were redeemed is read again, of old ones too', async () => {
  await using db = await freshDb();
  const files = (times: number) => ({
    coupons: [{ id: 'TEN', percent_off: 10, duration: 'once', times_redeemed: times, ...at(400) }],
    promotion_codes: [
      {
        ...{ id: 'promo_1', code: 'TEN', times_redeemed: times, ...at(400) },
        promotion: { type: 'coupon', coupon: 'TEN' },
      },
    ],
    ...SILENT,
  });
  await using account = await anAccountOf(db, files(1));
  for (const stream of ['coupons', 'promotion_codes']) await account.sync(stream);
  await account.serve(files(7));
  const redeemed = (table: string) => account.rows(table, "payload->>'times_redeemed' as times");
  for (const table of ['coupons', 'promotion_codes']) {
    await account.sync(table);
    expect(await redeemed(table)).toEqual([{ times: '1' }]);
    const tally = await account.sync(table, { reconcile: true });
    expect(tally).toMatchObject({ repaired: 1 });
    expect(tally).not.toHaveProperty('incomplete'); // it never has an event
    expect(await redeemed(table)).toEqual([{ times: '7' }]);
  }
});

test('a record that was set aside is asked for again, and leaves when it can be read', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: [charge('ch_old', at(200))], ...SILENT });
  await account.sync('charges');
  await db.query(
    `insert into ops.rejected_rows select $1, $2, 'stripe.charges', k, 'not understood then', '{}', now()
     from unnest('{ch_old,ch_gone,sha256:0}'::text[]) as k`,
    [account.brandId, account.connectionId],
  );
  expect((await account.sync('charges')).incomplete).toContain('3 records');
  await account.sync('charges', { reconcile: true });
  expect(await db.column('select row_key from ops.rejected_rows')).toEqual(['sha256:0']);
});

test('every stream of an account can be reconciled, and is marked as reconciled', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {
    charges: BEFORE,
    refunds: [{ id: 're_1', amount: 100, currency: 'usd', charge: 'ch_1', ...at(2) }],
    balance_transactions: [
      { id: 'txn_1', amount: 1_000, currency: 'usd', source: 'ch_1', ...at(3) },
      { id: 'txn_2', amount: 500, currency: 'jpy', source: 'ch_2', ...at(3) },
      { id: 'txn_3', amount: 12_345, currency: 'kwd', source: 'ch_3', ...at(20) },
    ],
    customers: [{ id: 'cus_1', ...at(3) }],
    products: [{ id: 'prod_1', name: 'A' }],
    prices: [{ id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 5 }],
  });
  const streams = `products prices coupons promotion_codes customers subscriptions invoices payment_intents
    charges refunds disputes balance_transactions payouts`.split(/\s+/);
  for (const stream of streams) await account.sync(stream);
  await db.query('update ops.positions set reconciled_at = null');
  for (const stream of streams) {
    expect(await account.sync(stream, { reconcile: true })).toMatchObject({ repaired: 0, changed: 0 });
  }
  expect(await db.column('select count(*)::int from ops.positions where reconciled_at is null')).toEqual([0]);
  const ledger = `select check_name, trim_scale(expected)::text as sum from ops.completeness
    where check_name like 'listed balance_transactions%' order by 1`;
  expect(await db.rows(ledger)).toEqual([
    { check_name: 'listed balance_transactions of 35 days', sum: '3' },
    { check_name: 'listed balance_transactions of 35 days in JPY', sum: '500' },
    { check_name: 'listed balance_transactions of 35 days in KWD', sum: '12.345' },
    { check_name: 'listed balance_transactions of 35 days in USD', sum: '10' },
  ]);
});
