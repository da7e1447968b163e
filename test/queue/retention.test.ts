import { expect, test } from 'vitest';
import { BATCH_MAX, recordNames } from '#sql/queue/retention.ts';
import { setRules } from '#sql/retention/rules.ts';
import { listBrands } from '#sql/tenants/brands.ts';
import { retention } from '#tasks/retention.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, TEST_KEYS, twoShops } from '../support/rows/factory.ts';
import { runRetention } from '../support/rows/retention.ts';
import { twoBrands } from '../support/rows/two_brands.ts';
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
const run = (db: TestDb) => runRetention(db, NOW);

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
  const [shop, other] = await twoShops(db);
  for (const daysAgo of [500, 400, 3]) await aRun(db, shop, { stream: 'shopify.orders', daysAgo });
  const prune = pruneOf(db, NOW);
  const dry = (await prune('--dry-run')).json() as { records: string; brand: string; to_delete: number }[];
  expect(dry.filter(({ to_delete }) => to_delete > 0)).toEqual([
    { records: 'ops.job_runs', brand: shop.brand.slug, to_delete: 2 },
  ]);
  expect(dry.filter(({ brand }) => brand === null).map(({ records }) => records)).toEqual(
    expect.arrayContaining(recordNames.map((name) => `ops.${name}`)),
  );
  expect(await left(db)).toHaveLength(3);
  const done = await prune('--wait');
  expect(done.code).toBe(0);
  expect(done.json()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ brand: null, state: 'succeeded', job_runs: 0, workers: 0, audit_log: 0 }),
      expect.objectContaining({ brand: shop.brand.slug, state: 'succeeded', job_runs: 2, history: 0 }),
      expect.objectContaining({ brand: other.brand.slug, state: 'succeeded', job_runs: 0 }),
    ]),
  );
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
  expect(new Set(dry.map(({ to_delete }) => to_delete))).toEqual(new Set([0]));
  const done = (await prune('--wait')).json() as { state: string; job_runs: number }[];
  expect(done.map(({ state, job_runs }) => `${state} ${job_runs}`)).toEqual(Array(3).fill('succeeded 0'));
  expect(await left(db)).toHaveLength(2);
  expect(audited.length).toBeGreaterThan(0);
  expect(
    await db.rows('select action, details from ops.audit_log order by id offset $1', [audited.length]),
  ).toEqual(Array(3).fill({ action: 'jobs.prune', details: { now: future } }));
});

test('each brand keeps by its own rules, whatever ids others have', async () => {
  await using db = await freshDb();
  const [short, usual] = await twoBrands(db);
  const brands = [short, usual] as const;
  const [acme] = await listBrands(db);
  const rules = new Map([
    ['job_runs', 60],
    ['restatements', 500],
    ['webhook_bodies', 30],
  ] as const);
  if (acme) await db.transaction((tx) => setRules(tx, acme, rules));
  const shops = brands.map(({ brandId, connectionId }) => ({
    ...{ brand: { id: brandId }, connection: { id: connectionId }, retailer: { id: connectionId } },
  })) as unknown as Shop[];
  for (const shop of shops)
    for (const daysAgo of [200, 70, 10]) await aRun(db, shop, { stream: 'mail.events', daysAgo });
  await db.query(
    `insert into ops.restatements (brand_id, rollup, day, last_day, key, column_name, old_value, new_value, cause, cells, restated_at)
     select b.id, 'daily_sales', '2026-01-01', '2026-01-01', '{}', 'orders', 1, 2, 'late_order', 1, $1::timestamptz - d * interval '1 day'
     from app.brands b cross join unnest('{600,400,50}'::int[]) d`,
    [NOW],
  );
  await db.query(
    `insert into ops.snapshot_runs (brand_id, kind, started_at, finished_at, outcome)
     select b.id, 'create', at, case when d < 400 then at end, case when d < 400 then 'succeeded' end
     from app.brands b cross join unnest('{500,90,5}'::int[]) d
     cross join lateral (select $1::timestamptz - d * interval '1 day' as at) t`,
    [NOW],
  );
  await db.query(
    `insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body, received_at)
     select c.brand_id, c.id, d, 'x', '{}', '', $1::timestamptz - d * interval '1 day'
     from app.connections c cross join unnest('{40,20,2}'::int[]) d`,
    [NOW],
  );
  expect(await run(db)).toMatchObject({
    job_runs: 2,
    restatements: 3,
    snapshot_runs: 1,
    webhook_deliveries: 3,
  });
  expect(await run(db)).toMatchObject({
    job_runs: 0,
    restatements: 0,
    snapshot_runs: 0,
    webhook_deliveries: 0,
  });
  const kept = (table: string) =>
    db.column(
      `select count(*)::int from ops.${table} where brand_id = any ($1) group by brand_id order by brand_id = $2 desc`,
      [brands.map(({ brandId }) => brandId), short.brandId],
    );
  expect(
    await db.column("select count(*)::int from ops.job_runs where brand_id = $1 and task = 'sync_stream'", [
      short.brandId,
    ]),
  ).toEqual([1]);
  expect(
    await db.column("select count(*)::int from ops.job_runs where brand_id = $1 and task = 'sync_stream'", [
      usual.brandId,
    ]),
  ).toEqual([3]);
  expect(await kept('restatements')).toEqual([2, 1]);
  expect(await kept('webhook_deliveries')).toEqual([2, 1]);
  expect(await kept('snapshot_runs')).toEqual([2, 3]); // one that has no end stays
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
