/** A worker that is killed while it proves a snapshot: the job runs again elsewhere, and nothing is left of the first attempt. */
import { expect, test } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { snapshotDrill } from '#tasks/snapshots/drill/snapshot_drill.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { eventually } from '../../support/eventually.ts';
import { runProgram } from '../../support/program.ts';
import { twoShops } from '../../support/rows/factory.ts';
import { aStore, fillYear, runSnapshot } from '../../support/snapshots/snapshots.ts';

const LOCK = 'lock table raw.shopify_sales in access exclusive mode';

/** What a drill makes for itself, of this database alone. */
const scratch = (db: TestDb) =>
  db.column(
    `select nspname::text from pg_namespace where nspname like 'restoring%'
     union all
     select datname from pg_database
     where starts_with(datname, 'nightshift_drill_' || (select left(md5(s.system_identifier || ' ' || d.oid), 10)
       from pg_control_system() s, pg_database d where d.datname = current_database()))`,
  );
const waitsForRows = (db: TestDb) =>
  eventually(async () =>
    expect(
      await db.column(
        `select count(*)::int from pg_locks
         where relation = 'raw.shopify_sales'::regclass and not granted and database = (select oid from pg_database where datname = current_database())`,
      ),
    ).toEqual([1]),
  );
const hasDatabase = (db: TestDb) => eventually(async () => expect(await scratch(db)).toHaveLength(1));

test.for([3, 4])('at level %i, kill -9 in the middle of it', async (level) => {
  await using db = await freshDb();
  await using place = await aStore();
  const shops = await twoShops(db);
  for (const { brand, connection } of shops) await fillYear(db, brand.id, connection.id, 300);
  const [{ brand }, other] = shops;
  const ids = [];
  for (const one of [brand, other.brand]) ids.push(String((await runSnapshot(db, place, one.id)).snapshot));
  const [id] = ids;
  await using killed = runProgram('drill_worker.ts', [db.url, place.dir]);
  expect(await killed.line()).toBe('ready');
  const begin = () => db.transaction((tx) => enqueue(tx, snapshotDrill, { brandId: brand.id, level }));
  const end = async () => {
    killed.child.kill('SIGKILL');
    expect(await killed.ended()).toBe('SIGKILL');
  };
  // At level 3 tables are made like the live ones, and nobody else sees them before it ends; at level 4 in a database.
  if (level === 3)
    await db.transaction(async (tx) => {
      await tx.query(LOCK);
      await begin();
      await waitsForRows(db);
      await end();
    });
  else {
    await begin();
    await hasDatabase(db);
    await end();
    expect(await scratch(db)).toHaveLength(1);
  }
  expect(await db.column('select verified_level from ops.snapshots')).toEqual([null, null]);

  await using heir = runProgram('drill_worker.ts', [db.url, place.dir]);
  expect(await heir.line()).toBe('ready');
  await eventually(async () =>
    expect(await db.column("select count(*)::int from ops.jobs where task = 'snapshot_drill'")).toEqual([0]),
  );
  expect(
    await db.column("select outcome from ops.job_runs where task = 'snapshot_drill' order by id"),
  ).toEqual(['crashed', 'succeeded']);
  expect(
    await db.rows(
      "select snapshot_id, level, outcome, finished_at is not null as ended from ops.snapshot_runs where kind = 'verify' order by id",
    ),
  ).toEqual(['broken_off', 'succeeded'].map((outcome) => ({ snapshot_id: id, level, outcome, ended: true })));
  expect(
    await db.rows(
      'select id, state, verified_level, verified_at is not null as proved from ops.snapshots order by created_at',
    ),
  ).toEqual([
    { id, state: 'complete', verified_level: level, proved: true },
    { id: ids[1], state: 'complete', verified_level: null, proved: false },
  ]);
  expect(await scratch(db)).toEqual([]);
  expect(
    await db.column(
      "select count(*)::int from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and pid in (select pid from pg_stat_activity where application_name = 'nightshift drill')",
    ),
  ).toEqual([0]);
});
