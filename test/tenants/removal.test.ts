/** Removing connections, retailers and brands with everything that is theirs, and with nothing else. */
import { expect, test } from 'vitest';
import { listConnections } from '#sql/tenants/connections.ts';
import { tablesOf } from '#sql/tenants/removal_tables.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aggregatesOf, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { env, idsOf, twoBrands } from '../support/db/removal.ts';
import { fillEveryTable, rowsNaming, tracesOf } from '../support/db/traces.ts';
import { mrrRows, rollUp } from '../support/mrr/mrr.ts';
import { NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { rollBrand, rollDirty } from '../support/rows/rolled.ts';

/** What must stay as it is, to the letter, but for figures, which are computed anew. */
async function others(db: TestDb, ids: readonly string[]) {
  const { 'ops.audit_log': _audit, ...rows } = await rowsNaming(db, ids);
  return Object.fromEntries(Object.entries(rows).filter(([table]) => !table.startsWith('agg.')));
}

test('a connection goes with every row, job and lane of it, and its days are those of what remains', async () => {
  await using db = await freshDb();
  const { one, second, third, other } = await twoBrands(db);
  for (const shop of [one, second, other]) await fillEveryTable(db, idsOf(shop));
  // Made of nothing, and nothing marks it: it is an object of a connection that stays.
  for (const table of ['subscription_states', 'daily_social', 'social_posts', 'daily_email'])
    await db.query(`delete from agg.${table} where connection_id = $1`, [second.connection.id]);
  await db.query("delete from agg.customer_months where customer_id = 'x'"); // nor are they any customer's
  await db.query("delete from agg.customer_value where customer_id = 'x'");
  for (const table of [
    'order_credits',
    'campaign_sales',
    'daily_campaigns',
    'campaign_months',
    'daily_stock',
  ])
    await db.query(`delete from agg.${table}`); // without campaigns and readings of stock
  // Nor are these of any event.
  for (const table of ['daily_funnel', 'daily_assets', 'daily_scans', 'daily_ab_tests'])
    await db.query(`delete from agg.${table}`);
  const { id, name } = one.connection;
  const rest = [second.connection.id, third.connection.id, other.brand.id];
  await rollBrand({ ...one, db });
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
  await rollBrand({ ...one, db });
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
  await rollBrand({ ...one, db });
  const ofThird = await others(db, [third.retailer.id, third.connection.id]);
  const own = [one.retailer.id, one.connection.id, second.connection.id];
  const { slug: brand } = one.brand;
  const retailer = one.retailer.slug;

  const remove = ['retailers', 'remove', retailer, '--brand', brand, '--yes', retailer];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(retailer),
  });
  await rollBrand({ ...one, db });
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
  expect(said.stdout).toMatch(/3 days \(\d+ rows\) of figures are deleted with it/);
  for (const answer of [[], ['--yes', 'another']]) {
    for (const command of [['connections', 'remove', name], ofRetailer, ['brands', 'remove', brand]]) {
      const { code, stderr } = await nightshift([...command, ...answer], { env: env(db) });
      expect([command, code, stderr.includes('--yes')]).toEqual([command, 2, true]);
    }
  }
  expect(await rowsNaming(db, all)).toEqual(before);
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

test('every table with the id of a connection, retailer or brand is known to the removal', async () => {
  await using db = await freshDb();
  await db.query('create table raw.of_tomorrow (brand_id uuid, connection_id uuid)');
  expect(await tablesOf(db, 'connection')).toContain('raw.of_tomorrow');
  expect(await tablesOf(db, 'brand')).toEqual(expect.arrayContaining(['raw.of_tomorrow', 'ops.marks']));
  expect(await tablesOf(db, 'retailer')).toEqual(
    expect.arrayContaining(['agg.daily_sales', 'ops.days_carried', 'ops.job_runs']),
  );
});
