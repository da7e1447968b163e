/** Rates and rollups do not hold each other up, and no brand holds up another. */
import { expect, test } from 'vitest';
import { openDb, type Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { lockRollup } from '#sql/dirty/marks.ts';
import { noticeRatesOfBrand } from '#sql/fx/days.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { fxBrand } from '#tasks/fx/fx_brand.ts';
import { fxFanOut } from '#tasks/fx/fx_fan_out.ts';
import { keepRates } from '#tasks/fx/fx_rates.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { aSeller, daysOf } from '../support/providers/fx.ts';
import { aRetailer } from '../support/rows/factory.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';

const day = '2026-04-10';
const published = {
  layout: 'XML',
  days: daysOf([
    ['USD', day, '1.1711'],
    ['GBP', day, '0.8712'],
  ]),
} as Parameters<typeof keepRates>[1];
const publish = (tx: Tx) => keepRates(tx, published, { source: 'test', now: new Date(), actor: 'test' });
const advisory = "select count(*) from pg_locks where locktype = 'advisory' and granted and pid = $1";
/** Tables of which a session has read or locked any row. */
const tables = `
  select distinct c.oid::regclass::text from pg_locks l join pg_class c on c.oid = l.relation
  where l.pid = $1 and c.relkind = 'r' and c.relnamespace in ('app'::regnamespace, 'agg'::regnamespace, 'ops'::regnamespace)
  order by 1`;

test('a publication takes one lock and looks at no brand, however many there are', async () => {
  await using db = await freshDb();
  const { brand } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  for (let count = 0; count < 20; count++) await aRetailer(db, { brandId: brand.id });
  await db.query('select ops.next_turn(null, 0::smallint)'); // the first turn of all takes a lock of its own
  await using storing = await openTransaction(db);
  expect(await publish(storing.tx)).toMatchObject({ added: 2 });
  expect(await db.column(advisory, [storing.pid])).toEqual([1]); // the other publication
  expect(await db.column(tables, [storing.pid])).toEqual([
    'app.fx_rates',
    'ops.audit_log',
    'ops.fx_changes',
    'ops.priorities',
    'ops.turns',
  ]);
});

// Its rollup holds its lock and, because it has only begun, the row of its job under its key.
test('a brand whose rollup runs keeps neither the publication nor the figures of another brand waiting', async () => {
  await using db = await freshDb();
  const seller = { reports: 'GBP', days: [day], currencies: ['USD'] };
  const [busy, other] = [await aSeller(db, seller), await aSeller(db, seller)];
  const work = { brandId: busy.brand.id, retailerId: busy.retailer.id };
  const running = await db.transaction((tx) => enqueue(tx, rollup, work));
  await claimJob(db, running);
  await using rolling = await openTransaction(db);
  await rolling.tx.query('select from graphile_worker._private_jobs where id = $1 for update', [running]);
  await lockRollup(rolling.tx, busy.brand.id, busy.retailer.id);
  await db.transaction(async (tx) => {
    await tx.query("set local lock_timeout = '1s'"); // instead of a test that hangs
    await publish(tx);
  });
  const jobs = (task: string, brandId: string | null = null) =>
    db.column(
      'select job_id::text from ops.jobs where task = $1 and brand_id is not distinct from $2::uuid',
      [task, brandId],
    );
  const run = async (task: typeof fxBrand | typeof fxFanOut | typeof rollup, brandId?: string) => {
    for (const id of await jobs(task.name, brandId)) {
      const { outcome } = await runClaimed(task as typeof rollup, await claimJob(db, String(id)), db);
      expect(outcome).toBe('succeeded');
    }
  };
  await run(fxFanOut);
  await run(fxBrand, other.brand.id);
  await run(rollup, other.brand.id);
  const fresh = 'select brand_id from agg.daily_sales where fx_rate is not null';
  expect(await db.column(fresh)).toEqual([other.brand.id]);

  const noticed = await db.transaction((tx) => noticeRatesOfBrand(tx, busy.brand.id));
  expect(noticed).toEqual({ days: 0, busy: [busy.retailer.id] });
  await rolling.commit();
  await run(fxBrand, busy.brand.id);
  await run(rollup, busy.brand.id);
  expect(await db.column(fresh)).toHaveLength(2);
});

test('a brand whose comparison begins keeps no other brand from getting its job', async () => {
  await using db = await freshDb();
  const seller = { reports: 'GBP', days: [day], currencies: ['USD'] };
  const shops = [await aSeller(db, seller), await aSeller(db, seller), await aSeller(db, seller)];
  await db.transaction(publish);
  expect(await runTask(fxFanOut, {}, db)).toEqual({ brands: 3 });
  const before = await db.column('select job_id::text from ops.jobs where task = $1', [fxBrand.name]);
  await using beginning = await openTransaction(db);
  await beginning.tx.query('select from graphile_worker._private_jobs where id = any ($1) for update', [
    before,
  ]);
  await db.transaction(async (tx) => {
    const changed = { ...published, days: daysOf([['USD', day, '1.2']]) };
    await keepRates(tx, changed as typeof published, { source: 'test', now: new Date(), actor: 'test' });
  });
  await using impatient = openDb(`${db.url}?options=-c%20lock_timeout%3D1s`, {
    applicationName: 'nightshift test',
  });
  expect(await runTask(fxFanOut, {}, { ...db, ...impatient })).toEqual({ brands: shops.length });
});

test('a rollup that is at work while rates are published compares its rows by its next claim', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  await using rolling = await openTransaction(db);
  await lockRollup(rolling.tx, brand.id, retailer.id);
  await db.transaction(publish);
  expect(await claimMarks(rolling.tx, brand.id, retailer.id, { days: 10, objects: 10 })).toEqual([
    { subject: 'fx', day, cause: null },
  ]);
});

test('a retailer whose rollup is at work is left to a rollup that follows', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  const work = { brandId: brand.id, retailerId: retailer.id };
  await using rolling = await openTransaction(db);
  await claimMarks(rolling.tx, brand.id, retailer.id, { days: 10, objects: 10 });
  await db.transaction(publish);
  expect(await runTask(fxBrand, { brandId: brand.id }, db)).toEqual({ days: 0, retailers: 1 });
  await rolling.commit();
  expect(await db.column("select key from graphile_worker.jobs where task_identifier = 'rollup'")).toEqual([
    `rollup:${brand.id}:${retailer.id}`,
  ]);
  await runTask(rollup, work, db); // the job that waits under the key
  expect(await db.column('select fx_cause from agg.daily_sales')).toEqual([null]);
});
