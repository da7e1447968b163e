/** Frozen rows that are lost are no change of figures: nothing is booked of them, and it is said until they are back. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { bookUnbooked } from '#sql/periods/book.ts';
import { lostFigures } from '#sql/periods/lost.ts';
import { nightly } from '#tasks/nightly.ts';
import { rollup } from '#tasks/rollup.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { env } from '../support/db/removal.ts';
import { visitsOf } from '../support/db/visits.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { anEvent, aSender } from '../support/events.ts';
import { aConnection, aRetailer, type Shop, twoShops } from '../support/rows/factory.ts';
import { bookedSums, closeAnyway, frozen, presentSums } from '../support/rows/periods.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { roll, rollBrand } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';
import { aStore, runSnapshot } from '../support/snapshots/snapshots.ts';

const MAY = '2024-05-01';
const order = (id: string) =>
  anOrder({
    id,
    at: `${MAY}T12:00:00Z`,
    version: '2024-05-02T00:00:00Z',
    sales: [{ total: '5.00', quantity: 1 }],
  });

/** Two brands with two retailers each, of which May is closed. */
async function twoClosed(db: TestDb): Promise<{ shop: Shop; second: Shop; other: Shop }> {
  const [shop, other] = await twoShops(db);
  const retailer = await aRetailer(db, { brandId: shop.brand.id });
  const connection = await aConnection(db, { brandId: shop.brand.id, retailerId: retailer.id });
  const second = { ...shop, retailer, connection };
  for (const one of [shop, second, other]) await roll({ ...one, db }, { orders: [order('1')] });
  for (const one of [shop, other]) {
    await rollBrand({ ...one, db });
    await closeAnyway(db, { brandId: one.brand.id, period: MAY });
  }
  return { shop, second, other };
}

/** One that has only to be judged. */
async function aNight(db: TestDb, brandId: string) {
  const [localDay] = await db.column(
    `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at, look_at)
     values ($1, current_date - 1, 'provisional', now(), now(), now() + interval '1 day', now()) returning (day + 1)::text`,
    [brandId],
  );
  return { brandId, localDay: String(localDay) };
}

const counts = (db: TestDb) => db.column('select c::text from ops.closed_counts c order by 1');
const booked = (db: TestDb, brandId: string) =>
  db.rows(
    `select retailer, difference::text from bi.period_adjustments
     where brand_id = $1 and figure = 'daily_sales' and column_name = 'gross_sales' order by 1`,
    [brandId],
  );

test('what is lost of closed figures is booked as no change, is named, and comes back from a snapshot', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const { shop, second, other } = await twoClosed(db);
  const { id: brandId, slug } = shop.brand;
  const cli = (...args: string[]) =>
    nightshift([...args, '--brand', slug], { env: { ...env(db), NIGHTSHIFT_SNAPSHOT_DIR: place.dir } });
  const { snapshot } = await runSnapshot(db, place, brandId);
  const stood = await frozen(db, brandId);
  const lost = 'delete from ops.closed_figures where brand_id = $1 and retailer_id = $2';
  await db.query(`${lost} and rollup = 'daily_sales'`, [brandId, shop.retailer.id]);
  await db.query('delete from agg.daily_sales where brand_id = $1 and retailer_id = $2', [
    brandId,
    second.retailer.id,
  ]);
  await db.query('delete from raw.shopify_sales where brand_id = $1 and connection_id = $2', [
    brandId,
    second.connection.id,
  ]);

  const range = { brandId, from: '2024-05-01', to: '2024-05-31' };
  const said = `2024-05 of ${slug} was closed with 1 rows of daily_sales of ${shop.retailer.slug}, and 0 are there`;
  expect(await runTask(rollup, { ...range, retailerId: shop.retailer.id }, db)).toMatchObject({
    unbooked: 1,
  });
  expect(await runTask(rollup, { ...range, retailerId: second.retailer.id }, db)).not.toHaveProperty(
    'unbooked',
  );
  const closing = await cli('periods', 'close', '2024-06', '--anyway', 'now');
  expect(closing).toMatchObject({ code: 0, stderr: expect.stringContaining(`Nothing is booked: ${said}.`) });
  expect(await booked(db, brandId)).toEqual([{ retailer: second.retailer.slug, difference: '-5' }]);

  const shown = await cli('periods', 'show', '2024-05');
  expect(shown).toMatchObject({ code: 1, stderr: expect.stringContaining(said) });
  expect(shown.stderr).not.toContain('do not add up');
  const mend = expect.stringContaining(`npx nightshift periods reopen 2024-05 --brand ${slug} --reason`);
  const wrong = async () => wrongOf((await examine(db)).checks, 'closed periods');
  expect(await wrong()).toEqual([]);
  expect(await runTask(nightly, await aNight(db, brandId), db)).toMatchObject({ lost_figures: 1 });
  expect(await runTask(nightly, await aNight(db, other.brand.id), db)).not.toHaveProperty('lost_figures');
  expect(await wrong()).toEqual([
    { severity: 'failure', evidence: `${said}: nothing is booked of these`, mend },
  ]);

  expect(await cli('snapshots', 'restore', String(snapshot), '--into', 'schema')).toMatchObject({ code: 0 });
  const docs = await readFile('docs/operations.md', 'utf8');
  const statement = docs.match(/insert into ops\.closed_figures [^;]+;/)?.[0] ?? '';
  await db.query(statement.replaceAll('restored_4f0c1a2b', `restored_${String(snapshot).slice(0, 8)}`));
  expect(await frozen(db, brandId)).toEqual(stood);
  expect(await wrong()).toEqual([]);
  await db.query('delete from ops.nights');
  expect(await runTask(nightly, await aNight(db, brandId), db)).not.toHaveProperty('lost_figures');
  expect(await db.column('select lost from ops.period_closings')).toEqual([0, 0, 0]);
  expect(await cli('periods', 'show', '2024-05')).toMatchObject({ code: 0 });
  for (const id of [brandId, other.brand.id])
    expect(await bookedSums(db, id)).toEqual(await presentSums(db, id));
});

test('what is booked or looked for of one owner counts no frozen rows of the others', async () => {
  await using db = await freshDb();
  const { shop } = await twoClosed(db);
  const { id: brandId } = shop.brand;
  await db.query(
    `with others as materialized (select gen_random_uuid() as id from generate_series(1, 100)), frozen as (
       insert into ops.closed_figures (brand_id, closing_id, rollup, day, retailer_id, key, currency, figures)
       select f.brand_id, f.closing_id, f.rollup, f.day, o.id, f.key, f.currency, f.figures
       from ops.closed_figures f, others o, generate_series(1, 200)
       where f.brand_id = $1 and f.retailer_id = $2 and f.rollup = 'daily_sales')
     insert into ops.closed_counts
     select c.brand_id, c.closing_id, c.rollup, o.id, c.rows * 200 from ops.closed_counts c, others o
     where c.brand_id = $1 and c.retailer_id = $2 and c.rollup = 'daily_sales'`,
    [brandId, shop.retailer.id],
  );
  const booking = {
    brandId,
    owner: shop.retailer.id,
    days: { from: MAY, to: '2024-05-31' },
    now: new Date(),
  };
  for (const known of ['nothing', 'all']) {
    if (known === 'all') await db.query('analyze ops.closed_figures, ops.closed_counts');
    const visits = await visitsOf(db, (tx) => bookUnbooked(tx, { ...booking, cause: 'changed_definition' }));
    expect(visits, `where PostgreSQL knows ${known}`).toBeLessThan(10_000);
    const found = await visitsOf(db, async (tx) => {
      for (const owner of [shop.retailer.id, null]) await lostFigures(tx, { brandId, owner, max: 1 });
    });
    expect(found, `where PostgreSQL knows ${known}`).toBeLessThan(10_000);
  }
});

test('a removal says that it cannot book what it takes of closed months whose rows are lost', async () => {
  await using db = await freshDb();
  const { brand, brandId, send, roll } = await aSender(db);
  const at = { happened_at: '2026-04-10T12:00:00Z' };
  await send([
    anEvent('download', { id: '1', retailer: 'uk', ...at }),
    anEvent('download', { id: '2', ...at }),
  ]);
  await roll();
  await closeAnyway(db, { brandId, period: '2026-04-01' });
  await db.query("delete from ops.closed_figures where rollup = 'daily_assets' and retailer_id is null");
  const remove = ['retailers', 'remove', 'uk', '--brand', brand.slug, '--yes', 'uk'];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('daily_assets of the brand, and 0 are there'),
  });
  expect(await db.column('select count(*) from ops.period_adjustments')).toEqual([0]);
});

test('closings of before get their counts by the migration', async () => {
  await using db = await freshDb();
  await twoClosed(db);
  const counted = await counts(db);
  expect(counted.length).toBeGreaterThan(0);
  await db.query(
    'drop table ops.closed_counts; alter table ops.period_closings drop column counted_at, drop column lost',
  );
  await db.query(await readFile('sql/migrations/0065_closed_counts.sql', 'utf8'));
  expect(await counts(db)).toEqual(counted);
});
