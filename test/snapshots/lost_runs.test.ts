/** Verifications and restores whose process is gone come to an end, so that they are not kept for ever. */
import { beforeEach, expect, test } from 'vitest';
import { endSnapshotRun } from '#sql/snapshots/runs.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { retention } from '#tasks/retention.ts';
import { snapshotDrill } from '#tasks/snapshots/drill/snapshot_drill.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, TEST_KEYS, twoShops } from '../support/rows/factory.ts';
import { claimJob, runTask } from '../support/run.ts';
import { aStore, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let shops: Shop[];
let place: StoreDir;

beforeEach(async () => {
  db = await freshDb();
  shops = await twoShops(db);
  place = await aStore();
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

const NO_JOB = '999999999';

/** In each brand a run of a command and of a job that is gone, old and less old, and an old one of a job that runs. */
async function addRuns(): Promise<void> {
  for (const { brand } of shops) {
    const running = await db.transaction(async (tx) => {
      const id = await enqueue(tx, snapshotDrill, { brandId: brand.id });
      await claimJob(tx, id);
      return id;
    });
    await db.query(
      `insert into ops.snapshot_runs (brand_id, kind, job_id, started_at)
       select $1, r.kind, r.job, now() - r.age
       from (values ('verify', null, interval '25 hours'), ('verify', null, '23 hours'), ('verify', $2::bigint, '7 hours'),
                    ('sample', $2, '7 hours'), ('verify', $2, '5 hours'), ('verify', $3, '7 hours'),
                    ('restore', null, '25 hours')) r (kind, job, age)`,
      [brand.id, NO_JOB, running],
    );
  }
}

test.for(['a verification', 'retention'])('%s ends those of its brand that are lost', async (which) => {
  const [acme, brio] = shops as [Shop, Shop];
  const { id } = await makeSnapshot(db, place.store, acme.brand, { scope: 'aggregates' });
  await addRuns();
  if (which === 'retention') await runTask(retention, { brandId: acme.brand.id }, db);
  else
    await nightshift(['snapshots', 'verify', id], {
      env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
    });
  expect(
    await db.rows(
      `select kind, job_id is null as "byCommand" from ops.snapshot_runs
       where brand_id = $1 and outcome = 'broken_off' and finished_at is not null order by id`,
      [acme.brand.id],
    ),
  ).toEqual([
    { kind: 'verify', byCommand: true },
    { kind: 'verify', byCommand: false },
    { kind: 'sample', byCommand: false },
    { kind: 'restore', byCommand: true },
  ]);
  expect(
    await db.column('select count(*)::int from ops.snapshot_runs where brand_id = $1 and outcome is null', [
      acme.brand.id,
    ]),
  ).toEqual([3]);
  expect(
    await db.column('select distinct outcome from ops.snapshot_runs where brand_id = $1', [brio.brand.id]),
  ).toEqual([null]);
});

test('a long verification that was taken for lost says its end after all', async () => {
  const [acme] = shops as [Shop, Shop];
  const brandId = acme.brand.id;
  await addRuns();
  await runTask(retention, { brandId }, db);
  const [run] = await db.column(
    "select id from ops.snapshot_runs where brand_id = $1 and outcome = 'broken_off' order by id limit 1",
    [brandId],
  );
  await db.transaction((tx) => endSnapshotRun(tx, { brandId, run: Number(run), tally: { parts: 1 } }));
  expect(
    await db.column('select outcome from ops.snapshot_runs where brand_id = $1 and id = $2', [brandId, run]),
  ).toEqual(['succeeded']);
});
