/** When the weekly reconciliation is due, and how an operator asks for it. */
import { expect, test } from 'vitest';
import { reconcile } from '#tasks/reconcile.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { aConnection, TEST_KEYS } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const env = (db: TestDb) => ({ DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });
const files = {
  charges: [charge('ch_1', { created: NOW_SECONDS - 3 * 86_400 })],
  customers: [{ id: 'cus_1', created: NOW_SECONDS - 3 * 86_400 }],
};
const JOBS = `select payload->>'connectionId' as connection, payload->>'stream' as stream
  from graphile_worker._private_jobs where payload->>'reconcile' = 'true' order by 2`;

test('what was reconciled, or read from the beginning, is due again after a week', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, files);
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) for (const stream of ['charges', 'customers']) await one.sync(stream);
  const fire = (days: number) => {
    const now = new Date((NOW_SECONDS + days * 86_400) * 1000).toISOString();
    return runTask(reconcile, { brandId: account.brandId, now }, db);
  };
  expect(await fire(6)).toEqual({ streams: 0 });
  expect(await fire(7)).toEqual({ streams: 2 });
  expect(await db.rows(JOBS)).toEqual([
    { connection: account.connectionId, stream: 'stripe.charges' },
    { connection: account.connectionId, stream: 'stripe.customers' },
  ]);
  expect(await fire(7)).toEqual({ streams: 2 }); // still due, and joined to the jobs that wait
  expect(await db.rows(JOBS)).toHaveLength(2);
  await db.query("update app.connections set held_at = now(), held_reason = 'a test'");
  expect(await fire(7)).toEqual({ streams: 0 });
});

test('sync reconcile works off what is due, and says what differed', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, files);
  for (const stream of ['charges', 'customers']) await account.sync(stream);
  const [brand] = await db.column('select slug from app.brands');
  const command = ['sync', 'reconcile', '--brand', String(brand), '--now', NOW, '--json'];
  const none = await nightshift([...command, '--due', '--wait'], { env: env(db) });
  expect(none).toMatchObject({ code: 0, stdout: '' });
  expect(none.stderr).toContain('Nothing is due.');

  await db.query(`update ops.positions set reconciled_at = '2026-11-01' where stream = 'stripe.charges'`);
  await account.serve({ charges: [...files.charges, charge('ch_2')], events: [] });
  const { code, json } = await nightshift([...command, '--due', '--wait'], { env: env(db) });
  expect(code).toBe(6); // it is mended, and nobody is to think that nothing was
  expect(json()).toEqual([
    expect.objectContaining({ stream: 'stripe.charges', state: 'partial', repaired: 1 }),
  ]);
  const again = await nightshift([...command, '--stream', 'stripe.charges', '--wait'], { env: env(db) });
  expect(again.code).toBe(0);
});

test('a shop has nothing to reconcile, and is told why', async () => {
  await using db = await freshDb();
  await aConnection(db);
  const [brand] = await db.column('select slug from app.brands');
  const { code, stderr } = await nightshift(['sync', 'reconcile', '--brand', String(brand)], {
    env: env(db),
  });
  expect(code).toBe(2);
  expect(stderr).toContain('each of their syncs compares its counts');
});
