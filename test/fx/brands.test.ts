/** How a change of rates reaches the brands: each by itself, in bounded steps, and to the same end after any crash. */
import { expect, test } from 'vitest';
import { fxBrand } from '#tasks/fx/fx_brand.ts';
import { fxFanOut } from '#tasks/fx/fx_fan_out.ts';
import { keepRates } from '#tasks/fx/fx_rates.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Task } from '#tasks/task.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { inForm } from '../support/property.ts';
import { aSeller, daysOf, markedDays, passOn, type Rate } from '../support/providers/fx.ts';
import { dyingAfter } from '../support/providers/shopify.ts';
import { aWorker } from '../support/queue.ts';
import { aBrand, type Shop } from '../support/rows/factory.ts';
import { claimJob, runClaimed } from '../support/run.ts';

const day = '2026-04-10';
const rates: Rate[] = [
  ['USD', day, '1.1711'],
  ['GBP', day, '0.8712'],
];
const seller = { reports: 'GBP', days: [day], currencies: ['USD'] };

function publish(db: TestDb, some: readonly Rate[] = rates) {
  const published = { layout: 'XML', days: daysOf(some) } as Parameters<typeof keepRates>[1];
  const options = { source: 'test', now: new Date(), actor: 'test' };
  return db.transaction((tx) => keepRates(tx, published, options));
}

const jobsOf = (db: TestDb, { name }: { name: string }) =>
  db
    .column('select job_id::text from ops.jobs where task = $1 order by job_id', [name])
    .then((ids) => ids.map(String));
const brandsWithJob = (db: TestDb) =>
  db.column('select brand_id from ops.jobs where task = $1 order by brand_id', [fxBrand.name]);
const brands = (db: TestDb) => db.column('select id from app.brands order by id');

async function fanOut(db: TestDb, seen = db) {
  const [id = ''] = await jobsOf(db, fxFanOut);
  return runClaimed(fxFanOut, await claimJob(db, id), seen, { control: db });
}

/** Brands with a retailer each whose figures are in pounds alone. */
async function addQuietBrands(db: TestDb, count: number): Promise<void> {
  await db.query(
    `with added as (
       insert into app.brands (id, slug, name, time_zone, reporting_currency, created_at)
       select gen_random_uuid(), 'quiet-' || n, 'Quiet ' || n, 'UTC', 'GBP', now() from generate_series(1, $1) n
       returning id
     ), retailers as (
       insert into app.retailers (brand_id, id, slug, name, created_at)
       select id, gen_random_uuid(), 'only', 'Only', now() from added returning brand_id, id
     )
     insert into ops.fx_noticed select brand_id, id, 0 from retailers`,
    [count],
  );
}

const BRANDS = inForm(60, 300);

test('a publication for many brands, of which two keep the currency, costs two rollups', async () => {
  await using db = await freshDb();
  const shops = [await aSeller(db, seller), await aSeller(db, seller)];
  await addQuietBrands(db, BRANDS - 2);
  await db.query('delete from ops.job_runs');
  await publish(db);
  const tasks = [fxFanOut, fxBrand, rollup] as unknown as Task[];
  await using worker = await aWorker(db, { tasks });
  await eventually(async () => expect(await db.column('select job_id from ops.jobs')).toEqual([]));
  await worker.stop();
  const done =
    'select task, outcome, count(*), count(distinct brand_id) as brands from ops.job_runs group by 1, 2 order by 1';
  expect(await db.rows(done)).toEqual([
    { task: 'fx_brand', outcome: 'succeeded', count: BRANDS, brands: BRANDS },
    { task: 'fx_fan_out', outcome: 'succeeded', count: 1, brands: 0 },
    { task: 'rollup', outcome: 'succeeded', count: 4, brands: 2 }, // of the retailer and of the brand
  ]);
  const fresh = 'select brand_id from agg.daily_sales where fx_rate is not null order by brand_id';
  expect(await db.column(fresh)).toEqual(shops.map(({ brand }) => brand.id).sort());
  expect(await db.column('select distinct change_id from ops.fx_noticed')).toHaveLength(1);
});

test('a run that dies between brands goes on behind the last one that has its job', async () => {
  await using db = await freshDb();
  for (let count = 0; count < 5; count++) await aBrand(db);
  await publish(db);
  const ids = await brands(db);
  expect(await fanOut(db, dyingAfter(db, 2))).not.toMatchObject({ outcome: 'succeeded' });
  expect(await brandsWithJob(db)).toEqual(ids.slice(0, 2));
  await db.query(
    'delete from graphile_worker._private_jobs where task_id in (select id from graphile_worker._private_tasks where identifier = $1)',
    [fxBrand.name],
  ); // they are through
  expect(await fanOut(db)).toMatchObject({ outcome: 'succeeded', tally: { brands: 3 } });
  expect(await brandsWithJob(db)).toEqual(ids.slice(2));
  expect(await db.rows('select passed_to, passed_at is not null as is_passed from ops.fx_changes')).toEqual([
    { passed_to: null, is_passed: true },
  ]);
});

test('a publication that comes while another is passed on reaches also the brands that have had their job', async () => {
  await using db = await freshDb();
  const shops: Shop[] = [];
  for (let count = 0; count < 3; count++) shops.push(await aSeller(db, seller));
  await publish(db);
  await fanOut(db, dyingAfter(db, 2));
  await publish(db, [['USD', day, '1.2']]);
  expect(await passOn(db)).toBe(3);
  expect(await jobsOf(db, fxBrand)).toEqual([]);
  expect(await jobsOf(db, rollup)).toHaveLength(3);
  for (const shop of shops) expect(await markedDays(db, shop)).toEqual([day]);
  expect(await db.column('select count(*) from ops.fx_changes where passed_at is null')).toEqual([0]);
  expect(await passOn(db)).toBe(0);
});

test('a brand that dies between its marks and its rollups queues them when it is tried again', async () => {
  await using db = await freshDb();
  const shop = await aSeller(db, seller);
  await publish(db);
  await fanOut(db);
  const [id = ''] = await jobsOf(db, fxBrand);
  await runClaimed(fxBrand, await claimJob(db, id), dyingAfter(db, 1), { control: db });
  expect(await markedDays(db, shop)).toEqual([day]);
  expect(await jobsOf(db, rollup)).toEqual([]);
  expect(await passOn(db)).toBe(0);
  expect(await jobsOf(db, rollup)).toHaveLength(1);
});

test('a brand that is being removed gets no job', async () => {
  await using db = await freshDb();
  const [stays, goes] = [await aBrand(db), await aBrand(db)];
  await publish(db);
  await db.query('update app.brands set removing_at = now() where id = $1', [goes.id]);
  await fanOut(db);
  expect(await brandsWithJob(db)).toEqual([stays.id]);
});
