/** Removing connections, retailers and brands with everything that is theirs, and with nothing else. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { ConnectionBeingRemoved, findConnection, listConnections, openConnection } from '#sql/connections.ts';
import { fence } from '#sql/jobs.ts';
import { keepConnection } from '#sql/load_place.ts';
import { beginRemoval } from '#sql/removal.ts';
import { emptyTable, tablesOf } from '#sql/removal_tables.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { nightshift } from './support/cli.ts';
import { freshDb, type TestDb } from './support/db.ts';
import { eventually } from './support/eventually.ts';
import { aConnection, aRetailer, aShop, type Shop, TEST_KEYS, testKeyring } from './support/factory.ts';
import { mrrRows, rollUp } from './support/mrr.ts';
import { aBooking, aCharge, loadMoney } from './support/payments.ts';
import { anOrder, loadOrders, type Place } from './support/raw_orders.ts';
import { aggregatesOf, rebuiltFromNothing } from './support/rebuild.ts';
import { placeOf, rollDirty } from './support/rolled.ts';
import { claimJob } from './support/run.ts';
import { NOW, NOW_SECONDS } from './support/stripe.ts';
import { anAccountOf } from './support/stripe_sync.ts';
import { fillEveryTable, type Ids, rowsNaming, tracesOf } from './support/traces.ts';

const now = new Date('2024-06-01T00:00:00Z');
const env = ({ url }: TestDb) => ({ DATABASE_URL: url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });
const idsOf = ({ brand, retailer, connection }: Shop): Ids => ({
  ...{ brandId: brand.id, retailerId: retailer.id, connectionId: connection.id },
});

/** The same ids everywhere; days and amounts differ, so that a figure tells whose rows it is made of. */
async function load(db: TestDb, place: Place, day: string, total: string): Promise<void> {
  const at = `${day}T12:00:00Z`;
  const shared = '2024-05-01T12:00:00Z';
  await db.transaction(async (tx) => {
    await loadOrders(tx, place, [
      anOrder({
        id: '1',
        at,
        customer: 'c',
        sales: [{ total, quantity: 1 }],
        payments: [{ id: '1', at, amount: total }],
      }),
      anOrder({ id: '2', at: shared, customer: 'c', sales: [{ total, quantity: 2 }] }),
    ]);
    await loadMoney(tx, place, [
      aBooking({ id: 'txn_1', at, amount: total }),
      aBooking({ id: 'txn_2', amount: total }),
    ]);
    await loadMoney(tx, place, [aCharge({ id: 'ch_1', at, status: 'failed', amount: total })]);
  });
}

function queueJobs(db: TestDb, { brandId, retailerId, connectionId }: Ids): Promise<string> {
  return db.transaction(async (tx) => {
    await enqueue(tx, rollup, { brandId, retailerId });
    return enqueue(tx, syncStream, { brandId, connectionId, stream: 'shopify.orders' });
  });
}

/** A brand with two shops of one retailer and a third of another, and a brand that has the same ids. */
async function twoBrands(db: TestDb) {
  const [one, other] = [await aShop(db), await aShop(db)];
  const { id: brandId } = one.brand;
  const second = { ...one, connection: await aConnection(db, { brandId, retailerId: one.retailer.id }) };
  const retailer = await aRetailer(db, { brandId });
  const third = { ...one, retailer, connection: await aConnection(db, { brandId, retailerId: retailer.id }) };
  const shops = { one, second, third, other };
  const days = { one: '2024-05-02', second: '2024-05-03', third: '2024-05-04', other: '2024-05-02' };
  for (const [name, shop] of Object.entries(shops)) {
    await load(db, placeOf(shop), days[name as keyof typeof days], '12.34');
    await queueJobs(db, idsOf(shop));
  }
  for (const shop of [one, third, other]) await rollDirty({ ...shop, db });
  return shops;
}

/** What must stay as it is, to the letter, but for figures, which are computed anew. */
async function others(db: TestDb, ids: readonly string[]) {
  const { 'ops.audit_log': _audit, ...rows } = await rowsNaming(db, ids);
  return Object.fromEntries(Object.entries(rows).filter(([table]) => !table.startsWith('agg.')));
}

test('a connection goes with every row, job and lane of it, and its days are those of what remains', async () => {
  await using db = await freshDb();
  const { one, second, third, other } = await twoBrands(db);
  for (const shop of [one, second, other]) await fillEveryTable(db, idsOf(shop));
  const { id, name } = one.connection;
  const rest = [second.connection.id, third.connection.id, other.brand.id];
  const before = await others(db, rest);
  const figuresOfOther = await aggregatesOf(db, other.brand.id);
  expect(Object.keys(await tracesOf(db, id))).toEqual(
    expect.arrayContaining([
      'graphile_worker._private_jobs',
      'raw.shopify_orders',
      'ops.positions',
      'ops.job_runs',
    ]),
  );

  const ran = await nightshift(['connections', 'remove', name, '--yes', name, '--json'], { env: env(db) });
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.json()).toMatchObject([
    { connection: name, removed: true, jobs: 1, positions: 1, quarantined: 1 },
  ]);
  await rollDirty({ ...one, db });
  expect(Object.keys(await tracesOf(db, id))).toEqual(['ops.audit_log']);
  expect(await others(db, rest)).toEqual(before);
  expect(await aggregatesOf(db, other.brand.id)).toEqual(figuresOfOther);
  const figures = await aggregatesOf(db, one.brand.id);
  expect(figures).toEqual(await rebuiltFromNothing(db, one.brand.id));
  const sales = figures['agg.daily_sales']?.map(({ day, gross_sales }) => `${day} ${Number(gross_sales)}`);
  expect(sales?.toSorted()).toEqual([
    '2024-05-01 12.34',
    '2024-05-01 12.34',
    '2024-05-03 12.34',
    '2024-05-04 12.34',
  ]);
});

test('a retailer goes with its connections and figures, and a brand with all that it has', async () => {
  await using db = await freshDb();
  const { one, second, third, other } = await twoBrands(db);
  const filled = await fillEveryTable(db, idsOf(one));
  for (const shop of [second, third, other]) await fillEveryTable(db, idsOf(shop));
  expect(filled.length).toBeGreaterThan(40);
  const untouched = await rowsNaming(db, [other.brand.id]);
  const ofThird = await others(db, [third.retailer.id, third.connection.id]);
  const own = [one.retailer.id, one.connection.id, second.connection.id];
  const { slug: brand } = one.brand;
  const retailer = one.retailer.slug;

  const remove = ['retailers', 'remove', retailer, '--brand', brand, '--yes', retailer];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(retailer),
  });
  expect(Object.keys(await tracesOf(db, ...own))).toEqual(['ops.audit_log']);
  expect(await others(db, [third.retailer.id, third.connection.id])).toEqual(ofThird);
  expect(
    await db.column('select count(*) from agg.daily_sales where brand_id = $1', [one.brand.id]),
  ).not.toEqual([0]);

  expect(await nightshift(['brands', 'remove', brand, '--yes', brand], { env: env(db) })).toMatchObject({
    code: 0,
  });
  expect(Object.keys(await tracesOf(db, one.brand.id, third.retailer.id, third.connection.id))).toEqual([
    'ops.audit_log',
  ]);
  expect(await rowsNaming(db, [other.brand.id])).toEqual(untouched);
  const actions = await db.column(
    "select action from ops.audit_log where action like '%.remove' order by id",
  );
  expect(actions).toEqual([
    ...['connections.remove', 'connections.remove', 'retailers.remove'],
    ...['connections.remove', 'retailers.remove', 'brands.remove'],
  ]);
});

test('what would go is said first, and nothing goes without its name', async () => {
  await using db = await freshDb();
  const { one, second, third, other } = await twoBrands(db);
  const all = [one, second, third, other].flatMap((shop) => Object.values(idsOf(shop)));
  const before = await rowsNaming(db, all);
  const { slug: brand } = one.brand;
  const name = one.connection.name;
  const dry = await nightshift(['connections', 'remove', name, '--dry-run', '--json'], { env: env(db) });
  expect(dry.code).toBe(0);
  expect(dry.json()).toMatchObject([
    {
      ...{ brand, connection: name, dry_run: true, removed: false, jobs: 1, days: 2 },
      rows: {
        'raw.shopify_orders': 2,
        'raw.shopify_sales': 2,
        'raw.stripe_balance_transactions': 2,
        'raw.stripe_charges': 1,
      },
    },
  ]);
  const [{ figures } = { figures: 0 }] = dry.json() as { figures: number }[];
  expect(figures).toBeGreaterThan(0);
  const ofRetailer = ['retailers', 'remove', one.retailer.slug, '--brand', brand];
  const said = await nightshift([...ofRetailer, '--dry-run'], { env: env(db) });
  expect(said.stdout).toContain('raw.shopify_orders: 4 rows');
  expect(said.stdout).toMatch(/3 days \(\d+ rows\) of figures go with it/);
  for (const answer of [[], ['--yes', 'another']]) {
    for (const command of [['connections', 'remove', name], ofRetailer, ['brands', 'remove', brand]]) {
      const { code, stderr } = await nightshift([...command, ...answer], { env: env(db) });
      expect([command, code, stderr.includes('--yes')]).toEqual([command, 2, true]);
    }
  }
  expect(await rowsNaming(db, all)).toEqual(before);
});

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
    expect(await fence(tx, claim, record)).toBeDefined();
    await keepConnection(tx, brandId, connectionId);
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
  expect(await db.transaction((tx) => fence(tx, claim, record))).toBeUndefined();
  const gone = { code: 'NS_CONNECTION_GONE' };
  await expect(load(db, placeOf(one), '2024-05-09', '1.00')).rejects.toMatchObject(gone);
  await expect(openConnection(db, brandId, connectionId, testKeyring)).rejects.toMatchObject(gone);
  await expect(db.transaction((tx) => keepConnection(tx, brandId, connectionId))).rejects.toMatchObject(gone);
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
      expect.stringContaining(new ConnectionBeingRemoved(name).message),
    ]);
  }
  // Whoever removes its retailer ends it too.
  const { slug } = one.retailer;
  const remove = ['retailers', 'remove', slug, '--brand', one.brand.slug, '--yes', slug];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
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
  expect(Object.keys(await tracesOf(db, connectionId))).toEqual(['ops.audit_log']);
  expect(await aggregatesOf(db, brandId)).toEqual(await rebuiltFromNothing(db, brandId));
  expect((await listConnections(db, brandId)).map(({ id }) => id)).toContain(second.connection.id);
});

test('the recurring revenue of a connection that goes is gone from every day', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 40 * 86_400;
  const files = {
    prices: [{ id: 'price_1', currency: 'usd', product: 'prod_1', unit_amount: 500, recurring: {} }],
    subscriptions: [{ id: 'sub_1', customer: 'cus_1', created, items: [{ price: 'price_1' }] }],
  };
  await using account = await anAccountOf(db, files);
  await using other = await anAccountOf(db, files);
  for (const one of [account, other]) {
    await one.sync('prices');
    await one.sync('subscriptions');
    await rollUp(db, one.brandId, NOW);
  }
  const { brandId, connectionId } = account;
  const ofOther = await aggregatesOf(db, other.brandId);
  expect((await mrrRows(db, brandId)).length).toBeGreaterThan(30);
  const { name } = (await listConnections(db, brandId))[0] ?? { name: '' };
  const remove = ['connections', 'remove', connectionId, '--yes', name];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  await rollUp(db, brandId, NOW);
  expect(Object.keys(await tracesOf(db, connectionId))).toEqual(['ops.audit_log']);
  expect(await mrrRows(db, brandId)).toEqual([]);
  expect(await aggregatesOf(db, other.brandId)).toEqual(ofOther);
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

test('every table with the id of a connection, retailer or brand is known to the removal', async () => {
  await using db = await freshDb();
  await db.query('create table raw.of_tomorrow (brand_id uuid, connection_id uuid)');
  expect(await tablesOf(db, 'connection')).toContain('raw.of_tomorrow');
  expect(await tablesOf(db, 'brand')).toEqual(expect.arrayContaining(['raw.of_tomorrow', 'ops.dirty_days']));
  expect(await tablesOf(db, 'retailer')).toEqual(
    expect.arrayContaining(['agg.daily_sales', 'ops.days_carried', 'ops.job_runs']),
  );
});
