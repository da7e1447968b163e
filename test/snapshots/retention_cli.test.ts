/** The plan as people see it, pins, and the rules of a brand. */
import { expect, test } from 'vitest';
import { keepForUndo, planSnapshots } from '#sql/snapshots/retention.ts';
import { snapshotExpiry } from '#tasks/snapshots/expiry/snapshot_expiry.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';
import { twoBrands } from '../support/rows/two_brands.ts';
import { runTask } from '../support/run.ts';
import { aStore, makeSnapshot } from '../support/snapshots/snapshots.ts';

const idAt = (at: number) => `${String(at).padStart(8, '0')}-1111-4111-8111-111111111111`;

const DIR = '/srv/snapshots';

/** One of each day at noon, the first today: of both brands with the same ids. */
async function days(db: TestDb, count: number): Promise<void> {
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at, manifest_sha256)
     select b.id, (lpad(n::text, 8, '0') || '-1111-4111-8111-111111111111')::uuid, b.slug, 'all', 'complete', $2,
            fact.day_start((now() at time zone b.time_zone)::date - n, b.time_zone), repeat('0', 64)
     from app.brands b cross join generate_series(0, $1::int - 1) n`,
    [count, DIR],
  );
}

const cliOf =
  (db: TestDb, more: Record<string, string> = {}) =>
  (line: string) =>
    nightshift([...line.split(' '), '--json'], {
      env: {
        ...{ DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS, NIGHTSHIFT_SNAPSHOT_DIR: DIR },
        ...more,
      },
    });

test('each day is kept for 90 days unless the brand says otherwise, and the plan says why', async () => {
  await using db = await freshDb();
  const [acme, brio] = await twoBrands(db);
  const run = cliOf(db);
  await days(db, 100);
  expect(await run('brands keep acme snapshots_daily=10 snapshots_weekly=4')).toMatchObject({ code: 0 });
  expect(await run('brands keep acme snapshots_daily=4000')).toMatchObject({ code: 2 });
  expect(await run('brands keep acme snapshots_hourly=4')).toMatchObject({ code: 2 });
  expect(await run(`snapshots pin ${idAt(50).slice(0, 8)} --reason audit`)).toMatchObject({ code: 2 }); // both have it
  await db.query('delete from ops.snapshots where brand_id = $1 and id = $2', [brio.brandId, idAt(50)]);
  expect(await run(`snapshots pin ${idAt(50).slice(0, 8)} --reason audit`)).toMatchObject({ code: 0 });
  expect(await run(`snapshots pin ${idAt(50).slice(0, 8)} --reason audit`)).toMatchObject({ code: 4 });
  await db.transaction((tx) => keepForUndo(tx, acme.brandId, idAt(60)));

  const plan = await run('snapshots expire --brand acme --dry-run');
  expect(plan).toMatchObject({ code: 0, stderr: '' });
  const rows = plan.json() as { snapshot: string; plan: string; reason: string }[];
  expect(rows).toHaveLength(100);
  const at = (n: number) => rows.find(({ snapshot }) => snapshot === idAt(n));
  expect(at(0)).toMatchObject({ plan: 'kept', reason: 'newest of its scope, within 7 days, daily, weekly' });
  expect(at(9)).toMatchObject({ plan: 'kept', reason: expect.stringContaining('daily') });
  expect(at(50)).toMatchObject({ plan: 'kept', reason: 'pinned', expires_at: null });
  expect(at(60)).toMatchObject({ plan: 'kept', reason: 'undoes a restore' });
  expect(at(70)).toMatchObject({ plan: 'expires', reason: expect.stringContaining('daily') });
  const kept = rows.filter((row) => row.plan === 'kept');
  expect(kept.length).toBeGreaterThan(12);
  expect(kept.length).toBeLessThan(17);
  // The other brand, with the same ids, has the usual rules.
  const others = (await planSnapshots(db, { brandId: brio.brandId, now: new Date() })).filter(
    (p) => !p.expires,
  );
  expect(others).toHaveLength(89);
  expect(
    await db.column(
      `select count(*)::int from bi.snapshots where expires_at is null or expires_at > now() group by brand order by brand`,
    ),
  ).toEqual([kept.length, 89]);
  expect(await db.column('select count(*)::int from ops.snapshots')).toEqual([199]); // nothing was deleted

  expect(await run(`snapshots unpin ${idAt(50).slice(0, 8)}`)).toMatchObject({ code: 0 });
  expect(await run(`snapshots unpin ${idAt(50).slice(0, 8)}`)).toMatchObject({ code: 4 });
  expect((await run('brands keep acme snapshots_daily=usual')).json()).toContainEqual(
    expect.objectContaining({ rule: 'snapshots_daily', kept: 90, set_by: 'usual' }),
  );
  expect(
    await db.rows(
      `select action, target, before, after from ops.audit_log where action in ('brands.keep', 'snapshots.pin') order by id`,
    ),
  ).toEqual([
    {
      ...{ action: 'brands.keep', target: 'acme', before: { snapshots_daily: 90, snapshots_weekly: 0 } },
      after: { snapshots_daily: 10, snapshots_weekly: 4 },
    },
    {
      ...{ action: 'snapshots.pin', target: idAt(50), before: { pinned: null } },
      after: { pinned: { reason: 'audit' } },
    },
    {
      ...{ action: 'brands.keep', target: 'acme', before: { snapshots_daily: 10 } },
      after: { snapshots_daily: 90 },
    },
  ]);
});

test('the job of a brand deletes what the plan says, of that brand only', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const [acme, brio] = await twoBrands(db);
  for (const { brandId } of [acme, brio])
    await makeSnapshot(db, place.store, { id: brandId, slug: 'acme' }, { scope: 'aggregates' });
  await days(db, 100);
  const services = { snapshots: { url: db.url, store: place.store, minutes: 10, rate: 0 } };
  await db.query('update ops.snapshots set store = $1', [place.store.place]);
  const run = (brandId: string) => runTask(snapshotExpiry, { brandId }, db, { services });
  expect(await run(acme.brandId)).toMatchObject({ expired: 10, kept: 91, files: 10 });
  expect(await run(acme.brandId)).toMatchObject({ expired: 0, kept: 91, files: 0 });
  expect(
    await db.column('select count(*)::int from ops.snapshots where brand_id = $1', [brio.brandId]),
  ).toEqual([101]);
  expect(await run(brio.brandId)).toMatchObject({ expired: 10 });
});

test('the plan says of each that is due in another store where it is, and who removes it', async () => {
  await using db = await freshDb();
  const [acme] = await twoBrands(db);
  await days(db, 93);
  await db.query('update ops.snapshots set store = $1 where brand_id = $2 and id = $3', [
    ...['s3://backups/old', acme.brandId, idAt(92)],
  ]);
  const planOf = async (more?: Record<string, string>) => {
    const rows = (await cliOf(db, more)('snapshots expire --brand acme --dry-run')).json() as {
      snapshot: string;
      plan: string;
      reason: string;
    }[];
    return [91, 92].map((n) => rows.find(({ snapshot }) => snapshot === idAt(n)));
  };
  expect(await planOf()).toMatchObject([
    { plan: 'expires', store: DIR, reason: 'over: within 7 days, daily' },
    {
      ...{ plan: 'elsewhere', store: 's3://backups/old' },
      reason: expect.stringMatching(
        /^over: .*expire --here, with NIGHTSHIFT_SNAPSHOT_STORE=s3:\/\/backups\/old/,
      ),
    },
  ]);
  expect(await planOf({ NIGHTSHIFT_SNAPSHOT_STORE: 's3://backups/old' })).toMatchObject([
    {
      plan: 'elsewhere',
      reason: expect.stringContaining(
        `with NIGHTSHIFT_SNAPSHOT_DIR=${DIR} and without NIGHTSHIFT_SNAPSHOT_STORE`,
      ),
    },
    { plan: 'expires' },
  ]);
});
