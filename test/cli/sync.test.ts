import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShopToSync } from '../support/providers/cli_shop.ts';
import { NOW, setFaults, TOKEN } from '../support/providers/sandbox.ts';
import { STREAMS } from '../support/providers/shop_account.ts';
import { aWorker } from '../support/queue.ts';

const sync = ['sync', 'run', '--brand', 'acme', '--now', NOW, '--wait', '--json'];

const figures = (db: TestDb) => db.rows('select day, orders, net_sales from bi.daily_sales order by day');

const NET = [
  { day: '2026-11-01', orders: 1, net_sales: '29.99' },
  { day: '2026-11-02', orders: 1, net_sales: '5' },
  { day: '2026-11-03', orders: 0, net_sales: '-5' },
];

test('a sync that is waited for ends with its figures in bi, and a second one changes nothing', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  const first = await nightshift(sync, { env: shop.env });
  expect(first.stderr).toContain('this command does the work itself');
  expect(first.code).toBe(0);
  expect(first.json()).toHaveLength(5);
  expect(first.json()).toContainEqual(
    expect.objectContaining({ connection: 'shop', stream: 'shopify.orders', state: 'succeeded', changed: 2 }),
  );
  expect(await figures(db)).toEqual(NET);

  const versions =
    'select xmin::text from raw.shopify_orders union all select xmin::text from agg.daily_sales order by 1';
  const before = await db.column(versions);
  const second = await nightshift(sync, { env: shop.env });
  expect(second.code).toBe(0);
  expect(second.json().map((row) => (row as { changed: number }).changed)).toEqual([0, 0, 0, 0, 0]);
  expect(new Set(second.json().map((row) => (row as { job_id: string }).job_id)).size).toBe(1);
  expect(await db.column(versions)).toEqual(before);

  const status = await nightshift(['sync', 'status', '--brand', 'acme', '--json'], { env: shop.env });
  expect(status.json()).toContainEqual(
    expect.objectContaining({
      brand: 'acme',
      stream: 'shopify.orders',
      state: 'ok',
      rejected: 0,
      cause: null,
    }),
  );
});

test('a stream that its account’s run leaves to a job of its own is waited for, and decides how the command ends', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  expect(await nightshift(sync, { env: shop.env })).toMatchObject({ code: 0 });
  const refused = { kind: 'status', status: 400, count: 0 };
  await setFaults(
    shop.sandbox,
    ...['query Look', 'query CustomersCount'].map((match) => ({ ...refused, match })),
  );
  const second = await nightshift(sync, { env: shop.env });
  expect(second.code).toBe(1);
  expect(second.json()).toHaveLength(5);
  const customers = { stream: 'shopify.customers', state: 'dead', error_code: 'NS_REQUEST_REFUSED' };
  expect(second.json()).toContainEqual(expect.objectContaining(customers));
  const orders = { stream: 'shopify.orders', state: 'succeeded', changed: 0 };
  expect(second.json()).toContainEqual(expect.objectContaining(orders));
  expect(second.stderr).toContain('shop shopify.customers: dead.');
});

test('without --wait jobs are queued, and who has no worker is told how to start one', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  const tried = await nightshift(['sync', 'run', '--brand', 'acme', '--dry-run'], { env: shop.env });
  expect(tried.stdout).toContain('shop\tshopify.orders\n');
  expect(await db.column('select id from graphile_worker.jobs')).toEqual([]);
  const { code, stdout, stderr } = await nightshift(
    ['sync', 'run', '--brand', 'acme', '--stream', 'shopify.orders'],
    {
      env: shop.env,
    },
  );
  expect(code).toBe(0);
  expect(stderr).toContain('Queued 1 job, but no worker runs. Start one: npx nightshift up');
  expect(stdout).toMatch(/^job_id\tconnection\tstream\n\d+\tshop\tshopify\.orders\n$/);
  const status = await nightshift(['status', '--json'], { env: shop.env });
  expect(status.json()[0]).toMatchObject({
    jobs: { waiting: 1 },
    attention: [
      expect.stringContaining('not read to the end yet'),
      expect.stringContaining('npx nightshift up'),
    ],
  });
});

test('who asks for a sync or a rollup means now, also where the job of it waits for tomorrow', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  const verbs = [
    ['sync', 'run', '--brand', 'acme', '--stream', 'shopify.shop'],
    ['rollup', 'run', '--brand', 'acme'],
  ];
  for (const verb of verbs) await nightshift(verb, { env: shop.env });
  await db.query("update graphile_worker._private_jobs set run_at = now() + interval '1 day'");
  for (const verb of verbs) expect(await nightshift(verb, { env: shop.env })).toMatchObject({ code: 0 });
  expect(await db.column('select distinct run_at <= now() from graphile_worker.jobs')).toEqual([true]);
});

test('a refused key holds the connection, and a new key lets its sync go on', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db, { secret: 'shpat_wrong_key' });
  const refused = await nightshift([...sync, '--stream', 'shopify.orders'], { env: shop.env });
  expect(refused.code).toBe(1);
  expect(refused.json()).toMatchObject([{ state: 'held', error_code: 'NS_CREDENTIALS_REJECTED' }]);
  expect(refused.stderr).toMatch(/next: .*npx nightshift connections key/);
  expect(refused.stdout + refused.stderr).not.toContain('shpat_wrong_key');

  const again = await nightshift(sync, { env: shop.env });
  expect(again).toMatchObject({ code: 4, stdout: '' });
  expect(JSON.parse(again.stderr).error).toMatchObject({ code: 'NS_CONNECTION_HELD' });

  const key = await nightshift(['connections', 'key', shop.connection.id, '--json'], {
    env: shop.env,
    input: TOKEN,
  });
  expect(key.json()).toEqual([{ connection: 'shop', auth: 'token', released: true, jobs: 1 }]);
  expect(await nightshift(sync, { env: shop.env })).toMatchObject({ code: 0 });
  expect(await figures(db)).toEqual(NET);
});

test('connections check names what is missing and ends with 1, or with 0 when all is granted', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db, { scopes: ['read_orders', 'read_all_orders', 'read_customers'] });
  const check = ['connections', 'check', 'shop', '--brand', 'acme', '--now', NOW];
  const lacking = await nightshift(check, { env: shop.env });
  expect(lacking.code).toBe(1);
  expect(lacking.stdout).toMatch(/missing .*read_products.*: shopify\.products cannot be read/);
  expect(lacking.stderr).toMatch(/Next: grant .*read_products/);
  expect(await db.column('select checked_at is not null from app.connections')).toEqual([true]);
  await using other = await freshDb();
  await using whole = await aShopToSync(other);
  const fit = await nightshift([...check, '--json'], { env: whole.env });
  expect(fit.code).toBe(0);
  expect(fit.json()).toMatchObject([{ fit: true, missing: [], account: { currency: 'USD' } }]);
});

test('a shop that shows only part of its orders is partial: check and sync end with 6', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db, {
    scopes: ['read_orders', 'read_customers', 'read_products', 'read_inventory', 'read_locations'],
  });
  const check = await nightshift(['connections', 'check', 'shop', '--now', NOW], { env: shop.env });
  expect(check.code).toBe(6);
  expect(check.stdout).toContain('read_all_orders');
  const { code, stderr } = await nightshift([...sync, '--stream', 'shopify.orders'], { env: shop.env });
  expect(code).toBe(6);
  expect(stderr).toMatch(/shop shopify\.orders: partial\. .*read_all_orders/);
});

test('waiting ends with 5 when the time is over and the jobs stay queued', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  await using _ = await aWorker(db); // alive, and without a task that syncs
  const { code, stdout, stderr } = await nightshift([...sync, '--timeout', '1s'], { env: shop.env });
  expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
  expect(JSON.parse(stderr).error).toMatchObject({ code: 'NS_WAIT_TIMED_OUT' });
  expect(await db.column('select count(*) from graphile_worker.jobs')).toEqual([STREAMS.length]);
});

test('waiting that is interrupted ends with 130 and leaves the jobs on the queue', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  await using _ = await aWorker(db);
  let stopped = false;
  const waiting = nightshift(
    sync.filter((word) => word !== '--json'),
    {
      env: shop.env,
      // Once: on a slow machine the second would come late enough to be a wish of its own.
      onStderr: (soFar, kill) => {
        if (stopped || !soFar.includes(`${STREAMS.length} jobs waiting`)) return;
        stopped = true;
        kill('SIGINT');
      },
    },
  );
  const { code, stderr } = await waiting;
  expect(code).toBe(130);
  expect(stderr).toContain('Stopped by SIGINT');
  expect(await db.column('select count(*) from graphile_worker.jobs')).toEqual([STREAMS.length]);
});

test('up migrates, works off what is queued, and ends with 0 when it is told to stop', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  await nightshift(['sync', 'run', '--brand', 'acme', '--now', NOW], { env: shop.env });
  let stopped = false;
  const up = await nightshift(['up'], {
    env: { ...shop.env, NIGHTSHIFT_LOG_LEVEL: 'info' },
    onStderr: (soFar, kill) => {
      // The log has a line for each job that ended.
      if (stopped || !/"task":"rollup"/.test(soFar)) return;
      stopped = true;
      kill('SIGTERM');
    },
  });
  expect(up).toMatchObject({ code: 0, stdout: '' });
  expect(up.stderr).toContain('Up. PostgreSQL at ');
  expect(await figures(db)).toEqual(NET);
  expect(await db.column('select ended_how from ops.workers')).toEqual(['stopped']);
});

test('up goes on when nobody reads what it says any more, and still stops in order', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  const up = await nightshift(['up'], {
    env: shop.env,
    onStderr: (soFar, kill, hangUp) => {
      if (!soFar.includes('A worker runs')) return;
      hangUp();
      kill('SIGTERM'); // what it says about that meets a closed pipe
    },
  });
  expect(up.code).toBe(0);
  expect(await db.column('select ended_how from ops.workers')).toEqual(['stopped']);
});
