/** What an operator sees of checks: green only while the newest result of every check is good. */
import { expect, test } from 'vitest';
import { failedChecks, forgetPassedChecks, recordCheck } from '#sql/load/checks.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { TEST_KEYS, twoShops } from '../support/rows/factory.ts';

const env = (db: TestDb) => ({ DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });
const created = NOW_SECONDS - 3 * 86_400;
const LEDGER = [{ id: 'txn_1', amount: 1_000, currency: 'usd', created, source: 'ch_1' }];
const FILES = { charges: [charge('ch_1', { created })], balance_transactions: LEDGER };
const day = (count: number) => new Date(Date.UTC(2026, 0, count));

test('a failed check is shown with its figures, and a later one of its name clears it', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  await account.faults({ kind: 'balance_off', currency: 'usd', amount: 5 });
  await account.sync('balance_transactions');

  const list = await nightshift(['sync', 'status', '--json'], { env: env(db) });
  const ledger = list.json().find((row) => Object(row).stream === 'stripe.balance_transactions');
  const failed = { check: 'balance USD', result: 'failed', expected: '10.05', found: '10' };
  expect(ledger).toMatchObject({ state: 'partial', checks: [{ ...failed, difference: '-0.05' }] });
  const plain = await nightshift(['sync', 'status'], { env: env(db) });
  expect(plain.stdout).toContain('1 failed');
  expect(plain.stderr).toContain("check 'balance USD' failed: expected 10.05, found 10 (difference -0.05)");
  const checks = await nightshift(['sync', 'status', '--checks', '--json'], { env: env(db) });
  expect(checks.json()).toEqual([expect.objectContaining(failed)]);
  const status = await nightshift(['status', '--json'], { env: env(db) });
  expect(status.json()).toMatchObject([
    { connections: [{ state: 'partial' }], failed_checks: [{ check: 'balance USD' }] },
  ]);

  await account.faults();
  expect(await account.sync('balance_transactions')).not.toHaveProperty('incomplete');
  const after = await nightshift(['status', '--json'], { env: env(db) });
  expect(after.json()).toMatchObject([{ connections: [{ state: 'never', cause: null }], failed_checks: [] }]); // its other streams
});

test('a check that failed keeps later runs from being green, although they do not repeat it', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, FILES);
  const { brandId, connectionId } = account;
  const of = { brandId, connectionId, stream: 'stripe.charges' };
  const check = { name: 'by hand', expected: 2, found: 1, ok: false, cause: 'one is missing' };
  await db.transaction((tx) => recordCheck(tx, of, check));
  expect((await account.sync('charges')).incomplete).toBe('one is missing');
  expect(await account.sync('charges', { since: '2026-11-01T00:00:00Z' })).not.toHaveProperty('incomplete');
  await db.transaction((tx) => recordCheck(tx, of, { ...check, found: 2, ok: true, cause: null }));
  expect(await account.sync('charges')).not.toHaveProperty('incomplete');
});

test('of a payout that did not add up the check is made again, and ends with the payout', async () => {
  await using db = await freshDb();
  const files = (amount: number, more: object = {}) => ({
    ...FILES,
    balance_transactions: LEDGER.map((row) => ({ ...row, _payout: 'po_1' })),
    payouts: [{ id: 'po_1', amount, currency: 'usd', created: created + 60, ...more }],
    events: [],
  });
  await using account = await anAccountOf(db, files(900));
  expect((await account.sync('payouts')).incomplete).toContain('payout po_1 is 9 USD');
  expect((await account.sync('payouts')).incomplete).toContain('payout po_1 is 9 USD'); // nothing new of it
  await account.serve(files(1_000));
  expect(await account.sync('payouts', { full: true })).not.toHaveProperty('incomplete');
  await account.serve(files(900));
  expect(await account.sync('payouts', { full: true })).toHaveProperty('incomplete');
  await account.serve(files(900, { status: 'failed' }));
  expect(await account.sync('payouts', { full: true })).not.toHaveProperty('incomplete');
});

test('of each check the newest result is kept, and a bounded number of earlier ones that said something else', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  const of = ({ brand, connection }: Pick<typeof one, 'brand' | 'connection'>) => ({
    ...{ brandId: brand.id, connectionId: connection.id, stream: 'shopify.orders' },
  });
  const record = async ({ brand, connection }: typeof one, at: number, found: number) => {
    const check = { name: 'orders', expected: 5, found, ok: found === 5 };
    await db.transaction((tx) => recordCheck(tx, of({ brand, connection }), check, day(at)));
  };
  const newest =
    'select found::int, ok, checked_at, result_since, ok_at from ops.completeness where brand_id = $1';
  await record(other, 1, 4);
  for (const [at, found] of [3, 3, 5, 5, 5].entries()) await record(one, at + 1, found);
  expect(await db.rows(newest, [one.brand.id])).toEqual([
    { found: 5, ok: true, checked_at: day(5), result_since: day(3), ok_at: day(5) },
  ]);
  const history = 'select found::int, checked_at from ops.completeness_history where brand_id = $1';
  expect(await db.rows(history, [one.brand.id])).toEqual([{ found: 3, checked_at: day(2) }]);

  for (let at = 6; at < 90; at++) await record(one, at, at % 2);
  expect(await db.column('select count(*)::int from ops.completeness_history')).toEqual([30]);
  expect(await db.rows(newest, [other.brand.id])).toMatchObject([{ found: 4, ok: false }]);
  expect(await failedChecks(db, of(other))).toEqual([
    { stream: 'shopify.orders', name: 'orders', cause: 'orders: expected 5, found 4' },
  ]);

  // After more than a year what passed is forgotten; what failed is not.
  await record(one, 90, 5);
  for (const shop of [one, other]) await db.transaction((tx) => forgetPassedChecks(tx, of(shop), day(600)));
  expect(await db.column('select brand_id from ops.completeness')).toEqual([other.brand.id]);
  expect(await db.column('select count(*)::int from ops.completeness_history')).toEqual([0]);
});

test('a dead job is not a cause for alarm once a later run has done its work', async () => {
  await using db = await freshDb();
  const [{ brand, connection }] = await twoShops(db);
  const payload = { brandId: brand.id, connectionId: connection.id, stream: 'shopify.orders' };
  const job = async (given: object, outcome: string) => {
    const [id] = await db.column("select id from graphile_worker.add_job('sync_stream', $1::json)", [given]);
    await db.query(
      `insert into ops.job_runs (job_id, task, brand_id, connection_id, payload, attempt, pool_id, claimed_at, started_at, outcome)
       values ($1, 'sync_stream', $2, $3, $4, 1, 'p', now(), now(), $5)`,
      [id, brand.id, connection.id, given, outcome],
    );
    if (outcome === 'dead')
      await db.query('update graphile_worker._private_jobs set attempts = max_attempts where id = $1', [id]);
    else await db.query('delete from graphile_worker._private_jobs where id = $1', [id]);
  };
  const dead = async () => {
    const [status] = (await nightshift(['status', '--json'], { env: env(db) })).json() as {
      attention: string[];
    }[];
    return status?.attention.some((line) => line.startsWith('Jobs are dead'));
  };
  await job(payload, 'succeeded');
  await job(payload, 'dead');
  expect(await dead()).toBe(true); // what succeeded before does not count
  await job({ ...payload, stream: 'shopify.products' }, 'succeeded');
  expect(await dead()).toBe(true);
  await job({ ...payload, full: true, now: '2026-11-20T06:00:00Z' }, 'succeeded');
  expect(await dead()).toBe(false);
  await job({ ...payload, full: true }, 'dead');
  await job(payload, 'succeeded');
  expect(await dead()).toBe(true); // less than what was asked for
});
