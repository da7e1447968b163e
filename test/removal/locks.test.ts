/** Removals beside rollups and syncs that are queued: who waits for whom, and never in a circle. */
import { expect, test } from 'vitest';
import { lockRollup } from '#sql/dirty/marks.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import { batchStatement, emptyTable } from '#sql/tenants/removal_tables.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { env, idsOf, twoBrands } from '../support/db/removal.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { aShop, twoShops } from '../support/rows/factory.ts';

test('a rollup that has its run and wants its lock gets it while its retailer is emptied', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aShop(db);
  await db.query(
    `insert into ops.job_runs (job_id, task, brand_id, payload, attempt, pool_id, claimed_at, started_at)
     values (1, 'rollup', $1, jsonb_build_object('retailerId', $2::text), 1, 'pool', now(), now())`,
    [brand.id, retailer.id],
  );
  await using rolling = await openTransaction(db);
  await rolling.tx.query("update ops.job_runs set progress = '{}'");
  const empty = () =>
    emptyTable(db, 'ops.job_runs', { kind: 'retailer', brandId: brand.id, id: retailer.id });
  const emptied = empty();
  await untilSomebodyWaitsFor(db, rolling);
  await lockRollup(rolling.tx, brand.id, retailer.id);
  await rolling.commit();
  await emptied; // without the row, which has moved
  expect(await empty()).toBe(1);
});

test('a sync that is queued while its connection begins to go is queued, and goes with it', async () => {
  await using db = await freshDb();
  const { one } = await twoBrands(db);
  const { brandId, connectionId } = idsOf(one);
  const { name } = one.connection;
  await using asking = await openTransaction(db);
  await keepConnection(asking.tx, { brandId, connectionId });
  const remove = nightshift(['connections', 'remove', name, '--yes', name], { env: env(db) });
  await untilSomebodyWaitsFor(db, asking);
  await enqueue(asking.tx, syncStream, { brandId, connectionId, stream: 'shopify.orders' });
  await asking.commit();
  expect(await remove).toMatchObject({ code: 0 });
  expect(await db.column('select count(*) from ops.jobs_naming($1)', [connectionId])).toEqual([0]);
});

// A place is one of a partition: the first row of each partition has the same.
test('of a partitioned table only rows of the owner go', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  await db.query(`
    create table raw.parted (brand_id uuid, connection_id uuid) partition by list (brand_id);
    create table raw.parted_one partition of raw.parted for values in ('${one.brand.id}');
    create table raw.parted_other partition of raw.parted default`);
  for (const { brand, connection } of [one, other])
    await db.query('insert into raw.parted select $1, $2 from generate_series(1, 3)', [
      brand.id,
      connection.id,
    ]);
  const owner = { kind: 'connection', brandId: one.brand.id, id: one.connection.id } as const;
  expect(await emptyTable(db, 'raw.parted', owner)).toBe(3);
  expect(await db.column('select distinct brand_id from raw.parted')).toEqual([other.brand.id]);
});

test('a batch is found by its places, with statistics or without', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  const owner = { kind: 'connection', brandId: brand.id, id: connection.id } as const;
  await db.query(
    `insert into raw.shopify_customers (brand_id, connection_id, id, created_at, changed_at, seen_at)
     select $1, $2, n, now(), now(), now() from generate_series(1, 20000) n`,
    [brand.id, connection.id],
  );
  for (const statistics of ['select', 'analyze raw.shopify_customers']) {
    await db.query(statistics);
    await using session = await openTransaction(db);
    await session.tx.query('set local enable_seqscan = off');
    const { rows } = await session.tx.query<{ 'QUERY PLAN': string }>(
      `explain (costs off) ${batchStatement('raw.shopify_customers', owner)}`,
      [brand.id, connection.id],
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/^ {2}-> {2}Tid Scan on shopify_customers/m);
  }
});
