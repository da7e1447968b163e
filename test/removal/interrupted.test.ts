/** Removals of retailers and brands that were begun and not ended: what they refuse, show, and finish. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aggregatesOf, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { env, idsOf, twoBrands } from '../support/db/removal.ts';
import { tracesOf } from '../support/db/traces.ts';
import { rollBrand, rollDirty } from '../support/rows/rolled.ts';

/** Kills a removal when it says something like this. */
async function killed(db: TestDb, args: readonly string[], when: string): Promise<void> {
  const ran = await nightshift(args, {
    env: env(db),
    onStderr: (said, kill) => {
      if (said.includes(when)) kill('SIGKILL');
    },
  });
  expect(ran.code).toBeNull();
}

const json = async (db: TestDb, ...args: string[]) =>
  (await nightshift([...args, '--json'], { env: env(db) })).json() as Record<string, unknown>[];

test('a retailer of which one connection has gone takes nothing new, says so, and goes when asked again', async () => {
  await using db = await freshDb();
  const { one, second, third, other } = await twoBrands(db);
  const { brand, retailer } = one;
  const [first = '', last = ''] = [one.connection.name, second.connection.name].toSorted();
  const next = `npx nightshift retailers remove ${retailer.slug} --brand ${brand.slug}`;
  const remove = ['retailers', 'remove', retailer.slug, '--brand', brand.slug, '--yes', retailer.slug];
  await killed(db, remove, `Removed connection ${first}.`);

  const ofRetailer = ['--brand', brand.slug, '--retailer', retailer.slug];
  const account = ['--provider', 'shopify', '--account', 'new-shop.myshopify.com'];
  for (const args of [
    ['connections', 'add', 'new', ...ofRetailer, ...account],
    ['connections', 'move', third.connection.name, ...ofRetailer, '--yes'],
    ['retailers', 'add', retailer.slug, '--brand', brand.slug, '--if-missing'],
    ['rollup', 'run', ...ofRetailer],
  ]) {
    const { code, stderr } = await nightshift(args, { env: env(db), input: 'shpat_new' });
    expect([args, code, stderr]).toEqual([args, 4, expect.stringContaining(next)]);
  }
  const status = (await json(db, 'status'))[0] as { attention: string[]; connections: { state: string }[] };
  expect(status.attention).toContain(`The retailer ${retailer.slug} is being removed. Next: ${next}`);
  expect(status.attention.join('\n')).not.toContain('connections check');
  expect(status.connections).toContainEqual(
    expect.objectContaining({ connection: last, state: 'removing', brand: brand.slug }),
  );
  expect(await json(db, 'retailers', 'list', '--brand', brand.slug)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ retailer: retailer.slug, state: 'removing' }),
      expect.objectContaining({ retailer: third.retailer.slug, state: 'active' }),
    ]),
  );
  const days = 'select distinct state from bi.completeness where brand_id = $1 and cause like $2';
  expect(await db.column(days, [brand.id, `%${retailer.slug} is being removed%`])).not.toEqual([]);
  const [dry] = await json(db, ...remove.slice(0, 5), '--dry-run');
  expect(dry).toMatchObject({ removing: true, connections: [{ connection: last, removing: true }] });

  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  const gone = [retailer.id, one.connection.id, second.connection.id];
  for (const shop of [one, other]) await rollBrand({ ...shop, db });
  expect(Object.keys(await tracesOf(db, ...gone))).toEqual(['ops.audit_log']);
  for (const { brand: owner } of [third, other])
    expect(await aggregatesOf(db, owner.id)).toEqual(await rebuiltFromNothing(db, owner.id));
});

test('figures of a retailer go before the rows that they were made of', async () => {
  await using db = await freshDb();
  const { one } = await twoBrands(db);
  const { slug } = one.retailer;
  await killed(
    db,
    ['retailers', 'remove', slug, '--brand', one.brand.slug, '--yes', slug],
    'raw.shopify_orders: ',
  );
  expect(
    await db.column('select count(*) from agg.daily_sales where retailer_id = $1', [one.retailer.id]),
  ).toEqual([0]);
});

test('a brand that is being removed takes no retailer and no connection', async () => {
  await using db = await freshDb();
  const { one, third, other } = await twoBrands(db);
  const { slug } = one.brand;
  const remove = ['brands', 'remove', slug, '--yes', slug];
  await killed(db, remove, 'Removed connection ');
  const next = `npx nightshift brands remove ${slug}`;
  for (const args of [
    ['retailers', 'add', 'new', '--brand', slug],
    ['brands', 'add', slug, '--zone', 'UTC', '--currency', 'GBP', '--if-missing'],
  ]) {
    const { code, stderr } = await nightshift(args, { env: env(db) });
    expect([args, code, stderr]).toEqual([args, 4, expect.stringContaining(next)]);
  }
  expect(await json(db, 'brands', 'list')).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ brand: slug, state: 'removing' }),
      expect.objectContaining({ brand: other.brand.slug, state: 'active' }),
    ]),
  );
  const [status] = await json(db, 'status');
  expect(status?.removals).toEqual([{ kind: 'brand', name: slug, brand: slug }]);
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  expect(Object.keys(await tracesOf(db, one.brand.id, third.retailer.id, third.connection.id))).toEqual([
    'ops.audit_log',
  ]);
});

test('a retailer takes along what is its own, and leaves the interrupted removals of others alone', async () => {
  await using db = await freshDb();
  const { one, second, third } = await twoBrands(db);
  const { brand, retailer } = one;
  const begin = (name: string) =>
    killed(db, ['connections', 'remove', name, '--brand', brand.slug, '--yes', name], 'removed');
  await begin(one.connection.name);
  await begin(third.connection.name);
  const next = `npx nightshift connections remove ${one.connection.name} --brand ${brand.slug}`;
  const [status] = await json(db, 'status');
  expect(status?.attention).toContain(
    `The connection ${one.connection.name} is being removed. Next: ${next}`,
  );
  const synced = await nightshift(['sync', 'run', '--brand', brand.slug, '--dry-run'], { env: env(db) });
  expect(synced.stderr).toContain(`${one.connection.name} is being removed. ${next}`);

  const remove = ['retailers', 'remove', retailer.slug, '--brand', brand.slug];
  const said = await nightshift([...remove, '--dry-run'], { env: env(db) });
  expect(said.stdout).toContain(`connection ${one.connection.name} (its removal has begun)`);
  expect(said.stdout).toMatch(new RegExp(`connection ${second.connection.name}$`, 'm'));
  expect(said.stdout).not.toContain(third.connection.name);
  const ofBrand = await json(db, 'brands', 'remove', brand.slug, '--dry-run');
  const retailers = [retailer.slug, third.retailer.slug].toSorted();
  expect(ofBrand).toMatchObject([
    {
      removing: false,
      retailers: retailers.map((name) => ({ retailer: name, removing: false })),
      connections: expect.arrayContaining([
        { connection: one.connection.name, removing: true },
        { connection: second.connection.name, removing: false },
        { connection: third.connection.name, removing: true },
      ]),
    },
  ]);

  expect(await nightshift([...remove, '--yes', retailer.slug], { env: env(db) })).toMatchObject({ code: 0 });
  expect(await db.column('select name from app.connections where brand_id = $1', [brand.id])).toEqual([
    third.connection.name,
  ]);
  await rollDirty({ ...third, db });
  expect(await aggregatesOf(db, brand.id)).toEqual(await rebuiltFromNothing(db, brand.id));
  expect(Object.keys(await tracesOf(db, idsOf(one).retailerId))).toEqual(['ops.audit_log']);
});
