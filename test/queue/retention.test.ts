import { expect, test } from 'vitest';
import { BATCH_MAX, recordNames } from '#sql/queue/retention.ts';
import { retention } from '#tasks/retention.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, TEST_KEYS, twoShops } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { aSchedule } from '../support/schedules/schedule.ts';

const NOW = '2026-11-29T12:00:00Z';
const GONE = 1_000_000; // a job that is not on the queue

type ARun = {
  job?: number;
  daysAgo: number;
  stream?: string;
  outcome?: string;
  task?: string;
  retailerId?: string;
};

/** A run of a shop's stream that ended so long before NOW; gives its number. */
async function aRun(db: TestDb, { brand, connection }: Shop, run: ARun): Promise<number> {
  const { job = GONE, daysAgo, stream, outcome = 'succeeded', task = 'sync_stream', retailerId } = run;
  const [id] = await db.column(
    `insert into ops.job_runs (job_id, task, brand_id, connection_id, payload, attempt, pool_id, claimed_at, started_at,
       finished_at, outcome, tally)
     select $1, $2, $3, $4, $5, 1, 'pool', at, at, case when $6 <> 'running' then at end, $6, '{"read": 5}'
     from (select $7::timestamptz - make_interval(days => $8) as at) t returning id`,
    [job, task, brand.id, retailerId ? null : connection.id, { stream, retailerId }, outcome, NOW, daysAgo],
  );
  return Number(id);
}

const left = (db: TestDb) =>
  db.column('select id from ops.job_runs where task <> $1 order by id', [retention.name]);
const run = (db: TestDb) => runTask(retention, { now: NOW }, db);

test('runs of more than a year ago go, those of each stream that somebody still reads stay', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  const orders = { stream: 'shopify.orders' };
  await aRun(db, one, { ...orders, daysAgo: 500 });
  const stay = [
    await aRun(db, other, { ...orders, daysAgo: 499 }), // the last of its stream, and the last that succeeded
    await aRun(db, one, { ...orders, daysAgo: 450 }), // the last that succeeded
  ];
  await aRun(db, one, { ...orders, daysAgo: 440, outcome: 'retrying' });
  stay.push(
    await aRun(db, one, { ...orders, daysAgo: 430, outcome: 'dead' }), // the last that ended
    await aRun(db, one, { ...orders, daysAgo: 420, outcome: 'running' }), // goes on
    await aRun(db, one, { stream: 'shopify.products', daysAgo: 400 }),
  );
  await aRun(db, one, { stream: 'shopify.customers', daysAgo: 400 });
  stay.push(await aRun(db, one, { stream: 'shopify.customers', daysAgo: 364 }));
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, state, last_run_at, updated_at)
     select brand_id, id, 'shopify.orders', '{}', 'ok', now(), now() from app.connections`,
  );
  const status = () =>
    db.rows('select brand, stream, state, rows, error from bi.sync_status order by brand, stream');
  const before = await status();
  expect(before.filter(({ rows }) => rows === 5)).toHaveLength(2);

  expect(await run(db)).toMatchObject({ job_runs: 3, workers: 0, audit_log: 0 });
  expect(await left(db)).toEqual(stay);
  expect(await status()).toEqual(before);
  expect(await run(db)).toMatchObject({ job_runs: 0 });
});

test('of the rollups of each retailer the last run stays', async () => {
  await using db = await freshDb();
  const shops = await twoShops(db);
  const stay = [];
  for (const shop of shops) {
    const rollup = { task: 'rollup', retailerId: shop.retailer.id };
    await aRun(db, shop, { ...rollup, daysAgo: 420 });
    stay.push(await aRun(db, shop, { ...rollup, daysAgo: 410 }));
  }
  expect(await run(db)).toMatchObject({ job_runs: 2 });
  expect(await left(db)).toEqual(stay);
});

// How often it crashed, and why it is dead, is read from them.
test('the runs of a job that is still on the queue stay', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  const [queued] = await db.column(
    `select id::int from graphile_worker.add_job('sync_stream', '{}', run_at => now() + interval '1 day')`,
  );
  const old = { stream: 'shopify.orders', outcome: 'retrying' };
  await aRun(db, shop, { ...old, daysAgo: 420 });
  const kept = await aRun(db, shop, { ...old, daysAgo: 410, job: Number(queued) });
  const last = await aRun(db, shop, { ...old, daysAgo: 1 });
  expect(await run(db)).toMatchObject({ job_runs: 1 });
  expect(await left(db)).toEqual([kept, last]);
});

test('more than a batch goes, each batch in a transaction of its own', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  await db.query(
    `insert into ops.job_runs (job_id, task, brand_id, payload, attempt, pool_id, claimed_at, started_at, finished_at, outcome)
     select n + 1000000, 'rollup', $1, '{}', 1, 'pool', at, at, at, 'succeeded'
     from generate_series(1, $2::int) n cross join (select $3::timestamptz - interval '400 days' as at) t`,
    [shop.brand.id, 2 * BATCH_MAX + 1, NOW],
  );
  const recent = await aRun(db, shop, { task: 'rollup', daysAgo: 3 });
  await db.query(`
    create table public.deletions (at_once bigint);
    create function public.note() returns trigger language plpgsql as $$
    begin insert into public.deletions select count(*) from gone; return null; end $$;
    create trigger note after delete on ops.job_runs referencing old table as gone
    for each statement execute function public.note()`);
  expect(await run(db)).toMatchObject({ job_runs: 2 * BATCH_MAX });
  expect(await left(db)).toEqual([2 * BATCH_MAX + 1, recent]); // the last that had neither stream nor retailer, twice
  expect(
    Math.max(...(await db.column('select at_once from public.deletions')).map(Number)),
  ).toBeLessThanOrEqual(BATCH_MAX);
});

test('workers that ended long ago go, and so does what was done ten years ago', async () => {
  await using db = await freshDb();
  await db.query(
    `insert into ops.workers (id, pool_id, lock_key, host, process_id, started_at, ended_at, ended_how, handed_back_at)
     select gen_random_uuid(), pool, row_number() over (), 'host', 1, $1::timestamptz - interval '200 days', ended, how, back
     from (values ('gone', $1::timestamptz - interval '91 days', 'stopped', now()),
                  ('ended lately', $1::timestamptz - interval '89 days', 'crashed', now()),
                  ('has jobs in its name', $1::timestamptz - interval '91 days', 'crashed', null),
                  ('lives', null, null, null)) w (pool, ended, how, back)`,
    [NOW],
  );
  await db.query('delete from ops.audit_log');
  await db.query(
    `insert into ops.audit_log (at, actor, action, target)
     select $1::timestamptz - make_interval(days => days), 'test', 'fx.change', days::text from unnest('{3651,3649}'::int[]) days`,
    [NOW],
  );
  expect(await run(db)).toMatchObject({ job_runs: 0, workers: 1, audit_log: 1 });
  expect(await db.column('select pool_id from ops.workers order by pool_id')).toEqual([
    ...['ended lately', 'has jobs in its name', 'lives'],
  ]);
  expect(await db.column('select target from ops.audit_log')).toEqual(['3649']);
});

const pruneOf =
  (db: TestDb, instant: string) =>
  (...options: string[]) =>
    nightshift(['jobs', 'prune', '--now', instant, '--json', ...options], {
      env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
    });

test('`jobs prune` says what would go, and deletes it', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  for (const daysAgo of [500, 400, 3]) await aRun(db, shop, { stream: 'shopify.orders', daysAgo });
  const prune = pruneOf(db, NOW);
  const dry = await prune('--dry-run');
  expect(dry.json()).toEqual([
    { records: 'ops.job_runs', kept_days: 365, to_delete: 2 },
    { records: 'ops.workers', kept_days: 90, to_delete: 0 },
    { records: 'ops.audit_log', kept_days: 3650, to_delete: 0 },
    { records: 'ops.schedule_slots', kept_days: 365, to_delete: 0 },
    { records: 'ops.backfills', kept_days: 365, to_delete: 0 },
    { records: 'ops.nights', kept_days: 365, to_delete: 0 },
    { records: 'ops.alerts', kept_days: 365, to_delete: 0 },
    { records: 'ops.failures', kept_days: 365, to_delete: 0 },
    { records: 'ops.restatements', kept_days: 365, to_delete: 0 },
    { records: 'ops.webhook_deliveries', kept_days: 7, to_delete: 0 },
    { records: 'ops.mail', kept_days: 90, to_delete: 0 },
  ]);
  expect(await left(db)).toHaveLength(3);
  const done = await prune('--wait');
  expect(done.code).toBe(0);
  expect(done.json()).toMatchObject([{ state: 'succeeded', job_runs: 2, workers: 0, audit_log: 0 }]);
  expect(await left(db)).toHaveLength(1);
});

test('as of an instant that is still to come nothing more goes, and the audit log says who pruned', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  for (const daysAgo of [4, 3]) await aRun(db, shop, { stream: 'shopify.orders', daysAgo });
  const audited = await db.column('select id from ops.audit_log order by id');
  const future = '2199-01-01T00:00:00.000Z';
  const prune = pruneOf(db, future);
  const dry = (await prune('--dry-run')).json() as { to_delete: number }[];
  expect(dry.map(({ to_delete }) => to_delete)).toEqual(recordNames.map(() => 0));
  const done = await prune('--wait');
  expect(done.json()).toMatchObject([{ state: 'succeeded', job_runs: 0, workers: 0, audit_log: 0 }]);
  expect(await left(db)).toHaveLength(2);
  expect(audited.length).toBeGreaterThan(0);
  expect(
    await db.rows('select action, details from ops.audit_log order by id offset $1', [audited.length]),
  ).toEqual([{ action: 'jobs.prune', details: { now: future } }]);
});

test('slots of more than a year ago go, with plans of backfills', async () => {
  await using db = await freshDb();
  const id = await aSchedule(db, { expression: '0 2 * * *', at: '2024-01-01T00:00:00Z' });
  await db.query(
    `insert into ops.schedule_slots (schedule_id, slot, version, local_day, outcome, decided_at, decided_by)
     select $1, at, 1, at::date, 'missed', at, 'test' from unnest($2::timestamptz[]) at`,
    [id, ['2024-05-01T02:00:00Z', '2026-11-28T02:00:00Z']],
  );
  await db.query(
    `insert into ops.backfills (schedule_id, since, until, chosen, newest_first, concurrency, planned_at, planned_by)
     select $1, at, at, 'all', false, 1, at, 'test' from unnest($2::timestamptz[]) at`,
    [id, ['2024-05-01T02:00:00Z', '2026-11-28T02:00:00Z']],
  );
  await db.query(
    `insert into ops.backfill_slots (backfill_id, position, slot, local_day)
     select id, 1, since, since::date from ops.backfills`,
  );
  expect(await run(db)).toMatchObject({ schedule_slots: 1, backfills: 1 });
  expect(await db.column('select count(*)::int from ops.backfill_slots')).toEqual([1]);
  expect(await db.column('select slot from ops.schedule_slots')).toEqual([new Date('2026-11-28T02:00:00Z')]);
});
