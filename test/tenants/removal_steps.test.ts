/** A removal beside running jobs, begun and not ended, and killed. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { keepConnection } from '#sql/load/load_lock.ts';
import { fence, fenced } from '#sql/queue/jobs.ts';
import { findConnection, listConnections, openConnection } from '#sql/tenants/connections.ts';
import { beginRemoval, removeJobs } from '#sql/tenants/removal.ts';
import { emptyTable } from '#sql/tenants/removal_tables.ts';
import { ConnectionBeingRemoved } from '#sql/tenants/removing.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aggregatesOf, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { env, idsOf, load, now, twoBrands } from '../support/db/removal.ts';
import { tracesOf } from '../support/db/traces.ts';
import { eventually } from '../support/eventually.ts';
import { aShop, type Shop, testKeyring } from '../support/rows/factory.ts';
import { placeOf, rollBrand, rollDirty } from '../support/rows/rolled.ts';
import { claimJob } from '../support/run.ts';

test('a run that is in the midst of a page is waited for, and can then store nothing any more', async () => {
  await using db = await freshDb();
  const { one } = await twoBrands(db);
  const { brandId, connectionId } = idsOf(one);
  const which = { brandId, connectionId, tables: [], now };
  const payload = { brandId, connectionId, stream: 'shopify.orders', full: true } as const;
  const job = await db.transaction(async (tx) =>
    claimJob(tx, await enqueue(tx, syncStream, payload), 'pool-x'),
  );
  const claim = { jobId: String(job.id), poolId: 'pool-x', claimedAt: job.locked_at as Date };
  const record = { attempt: 1, key: null };
  const { promise: written, resolve: write } = Promise.withResolvers<void>();
  const { promise: goOn, resolve: end } = Promise.withResolvers<void>();
  const page = db.transaction(async (tx) => {
    expect(fenced(await tx.query(fence(claim, record)), record).ours).toBe(true);
    await keepConnection(tx, { brandId, connectionId });
    write();
    await goOn;
    await tx.query("update raw.shopify_orders set name = 'late' where connection_id = $1", [connectionId]);
  });
  await written;
  let removed = false;
  const removal = db
    .transaction((tx) => beginRemoval(tx, which))
    .then(() => {
      removed = true;
    });
  await eventually(async () => {
    const waiting = `select count(*) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    expect([await db.column(waiting), removed]).not.toEqual([[0], false]);
  });
  expect(removed).toBe(false);
  end();
  await Promise.all([page, removal]);
  await removeJobs(db, { kind: 'connection', brandId, id: connectionId });
  expect(fenced(await db.query(fence(claim, record), fence(claim, record).values), record).ours).toBe(false);
  const gone = { code: 'NS_CONNECTION_GONE' };
  await expect(load(db, placeOf(one), '2024-05-09', '1.00')).rejects.toMatchObject(gone);
  await expect(openConnection(db, { brandId, connectionId }, testKeyring)).rejects.toBeInstanceOf(
    ConnectionBeingRemoved,
  );
  await expect(db.transaction((tx) => keepConnection(tx, { brandId, connectionId }))).rejects.toMatchObject(
    gone,
  );
});

test('a removal that was begun is shown, cannot be taken back, and is ended by asking again', async () => {
  await using db = await freshDb();
  const { one, second } = await twoBrands(db);
  const { brandId, retailerId, connectionId } = idsOf(one);
  const { name } = one.connection;
  await db.transaction((tx) => beginRemoval(tx, { brandId, connectionId, tables: [], now }));
  await emptyTable(db, 'raw.shopify_sales', { kind: 'connection', brandId, id: connectionId });
  expect(await findConnection(db, brandId, name)).toMatchObject({ removingAt: now, retailerId: null });
  const list = await nightshift(['connections', 'list', '--json'], { env: env(db) });
  expect(list.json()).toContainEqual(expect.objectContaining({ connection: name, state: 'removing' }));
  for (const args of [
    ['connections', 'release', name],
    ['connections', 'key', name],
    ['connections', 'move', name, '--retailer', one.retailer.slug, '--yes'],
  ]) {
    const { code, stderr } = await nightshift(args, { env: env(db), input: 'shpat_another' });
    expect([args, code, stderr]).toEqual([
      args,
      4,
      expect.stringContaining(new ConnectionBeingRemoved(name, one.brand.slug).message),
    ]);
  }
  // Whoever removes its retailer ends it too.
  const { slug } = one.retailer;
  const remove = ['retailers', 'remove', slug, '--brand', one.brand.slug, '--yes', slug];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  await rollBrand({ ...one, db });
  expect(Object.keys(await tracesOf(db, connectionId, retailerId, second.connection.id))).toEqual([
    'ops.audit_log',
  ]);
});

test('a removal that is killed between two batches goes on where it was', async () => {
  await using db = await freshDb();
  const { one, second } = await twoBrands(db);
  const { brandId, connectionId } = idsOf(one);
  await db.query(
    `insert into raw.shopify_customers (brand_id, connection_id, id, created_at, changed_at, seen_at)
     select $1, $2, n, $3, $3, $3 from generate_series(1, 25000) n`,
    [brandId, connectionId, now],
  );
  const { name } = one.connection;
  const remove = ['connections', 'remove', name, '--yes', name];
  const killed = await nightshift(remove, {
    env: env(db),
    onStderr: (said, kill) => {
      if (said.includes('removed')) kill('SIGKILL');
    },
  });
  expect(killed.code).toBeNull();
  expect(await tracesOf(db, connectionId)).toMatchObject({ 'app.connections': 1 });
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  await rollDirty({ ...one, db });
  await rollBrand({ ...one, db });
  expect(Object.keys(await tracesOf(db, connectionId))).toEqual(['ops.audit_log']);
  expect(await aggregatesOf(db, brandId)).toEqual(await rebuiltFromNothing(db, brandId));
  expect((await listConnections(db, brandId)).map(({ id }) => id)).toContain(second.connection.id);
});

test('a job of a retailer that has gone computes nothing and leaves nothing', async () => {
  await using db = await freshDb();
  const { brand } = await aShop(db);
  const retailerId = randomUUID();
  await rollDirty({ db, brand, retailer: { id: retailerId } } as Shop & { db: TestDb });
  // The record of the run, and the library's lane, which it takes away itself.
  expect(Object.keys(await tracesOf(db, retailerId))).toEqual([
    'graphile_worker._private_job_queues',
    'ops.job_runs',
  ]);
});
