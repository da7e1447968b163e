/** The disk of the store is full: nothing half is left that counts, and the next snapshot is whole. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localStore } from '#tasks/snapshots/local_store.ts';
import { verifySnapshot } from '#tasks/snapshots/verify.ts';
import { freshDb } from '../support/db/db.ts';
import { smallDisk } from '../support/db/small_disk.ts';
import { aShop, testSealer } from '../support/rows/factory.ts';
import { fillYear, makeSnapshot } from '../support/snapshots/snapshots.ts';

test('a full disk is said, and once there is room the next snapshot goes on', async ({ skip }) => {
  const home = await mkdtemp(join(tmpdir(), 'nightshift-full-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(home, { recursive: true, force: true }));
  const disk = await smallDisk(1, home);
  if (!disk) return skip('needs root, to mount a small file system');
  stack.use(disk);
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  await fillYear(db, brand.id, connection.id, 25_000);
  await db.query(`update raw.shopify_sales set line_id = md5(id) || md5(id || 'x') || md5(id || 'y')`); // does not compress
  await expect(makeSnapshot(db, localStore(disk.path), brand)).rejects.toMatchObject({
    code: 'NS_SNAPSHOT_STORE',
  });
  expect(await db.column('select snapshot from bi.snapshots')).toEqual([]);
  await db.query('update raw.shopify_sales set line_id = null');
  const { id } = await makeSnapshot(db, localStore(disk.path), brand, { scope: 'aggregates' });
  const snapshot = { brandId: brand.id, id };
  const { damages } = await verifySnapshot({
    db,
    store: localStore(disk.path),
    sealer: testSealer,
    snapshot,
    level: 2,
  });
  expect(damages).toEqual([]);
});
