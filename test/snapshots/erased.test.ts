/** Whom a brand has erased since a snapshot is in nothing that is restored of it, beside the live tables or in their place. */
import { beforeAll, expect, test } from 'vitest';
import { storeRequest } from '#sql/privacy/requests.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { privacyPurge } from '#tasks/privacy/purge.ts';
import { nightshift } from '../support/cli.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { aWorld, CUSTOMER, EMAIL, STRIPE_CUSTOMER, type World } from '../support/privacy/world.ts';
import { TEST_KEYS, testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { runExpiry } from '../support/snapshots/expiry.ts';
import { aStore, runSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let one: World;
let other: World;
let place: StoreDir;
let ids: Record<'one' | 'other', string>;
let figures: Record<string, unknown[]>;

beforeAll(async () => {
  db = await freshDb();
  place = await aStore();
  [one, other] = [await aWorld(db), await aWorld(db)];
  for (const world of [one, other]) {
    await world.sync(false);
    await world.roll();
  }
  figures = await figuresOf(one);
  ids = { one: await keep(one), other: await keep(other) };
  return async () => {
    for (const it of [one, other, place, db]) await it[Symbol.asyncDispose]();
  };
});

const figuresOf = async (world: World) => {
  const { snapshots: _, ...rest } = await world.figures();
  return rest;
};
const keep = async ({ brandId }: World) => String((await runSnapshot(db, place, brandId)).snapshot);
const run = (line: string) =>
  nightshift([...line.split(' '), '--json'], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });
const traces = ({ brandId }: World) => tracesOf(db, brandId, [CUSTOMER, STRIPE_CUSTOMER, 'anna'], EMAIL);
const into = (where: string, id: string, { slug }: World) =>
  run(`snapshots restore ${id} --brand ${slug} --into ${where}${where === 'live' ? ` --yes ${slug}` : ''}`);

async function erase(world: World, task = privacyErase): Promise<void> {
  const { brandId, shop, stripe } = world;
  const requests = [
    await askErasure(db, { brandId, connectionId: null }, { email: EMAIL }),
    await askErasure(db, shop, { customer: CUSTOMER }),
    await askErasure(db, stripe, { customer: STRIPE_CUSTOMER }),
  ];
  for (const request of requests) await runTask(task, { brandId, request }, db);
}

test('of two brands that know a person the one that erased it restores without it, the other with it', async () => {
  const before = await traces(other);
  await erase(one);
  expect(await traces(one)).toEqual([]);
  // An erased person is no difference.
  const line = `snapshots restore ${ids.one} --brand ${one.slug} --into live --dry-run`;
  expect((await run(line)).json()).toEqual([]);

  const beside = await into('schema', ids.one, one);
  expect(beside).toMatchObject({ code: 0 });
  const [{ schema = '' } = {}] = beside.json() as { schema: string }[];
  expect(await db.column(`select count(*) > 2 from ${schema}.raw_shopify_orders`)).toEqual([true]);
  expect(await traces(one)).toEqual([]);
  await db.query(`drop schema ${schema} cascade`);

  // Whatever is lost comes back, the person excepted.
  const headers = (await one.headers()).length;
  for (const table of ['shopify_orders', 'shopify_customers', 'stripe_charges', 'stripe_customers'])
    await db.query(`delete from raw.${table} where brand_id = $1`, [one.brandId]);
  await db.query('delete from agg.order_days where brand_id = $1', [one.brandId]);
  expect(await into('live', ids.one, one)).toMatchObject({ code: 0 });
  expect(await traces(one)).toEqual([]);
  expect((await one.headers()).length).toBe(headers);
  expect(await figuresOf(one)).toEqual(figures);
  await one.roll();
  expect(await figuresOf(one)).toEqual(figures);
  await one.sync();
  expect(await traces(one)).toEqual([]);

  expect(await traces(other)).toEqual(before);
  const [{ schema: theirs = '' } = {}] = (await into('schema', ids.other, other)).json() as {
    schema: string;
  }[];
  expect((await traces(other)).length).toBeGreaterThan(before.length);
  await db.query(`drop schema ${theirs} cascade`);
});

test('one whose erasure has begun is not restored either, and one whom nobody knows any more is a refusal', async () => {
  await using begun = await aWorld(db);
  await begun.sync(false);
  const id = await keep(begun);
  const { brandId, stripe } = begun;
  const request = await askErasure(db, stripe, { customer: STRIPE_CUSTOMER, email: EMAIL });
  let left = 12;
  const breaking = aroundTransactions(db, async (transaction) => {
    if (left-- === 0) throw new Error('the worker is lost');
    return transaction();
  });
  await expect(runTask(privacyErase, { brandId, request }, breaking, { control: db })).rejects.toThrow();
  const copies = async (schema: string) =>
    (await tracesOf(db, brandId, [STRIPE_CUSTOMER], EMAIL)).filter((row) => row.startsWith(schema));
  for (const isDone of [false, true]) {
    if (isDone) await runTask(privacyErase, { brandId, request }, db);
    const [{ schema = '' } = {}] = (await into('schema', id, begun)).json() as { schema: string }[];
    expect(await copies(schema)).toEqual([]);
    // What is restored behind the end of an erasure is without the person.
    const shown = await run(`privacy show ${request} --brand ${begun.slug}`);
    expect(shown.stderr.includes(`drop schema ${schema} cascade`)).toBe(!isDone);
    await db.query(`drop schema ${schema} cascade`);
  }

  await db.query('delete from ops.erased_persons where brand_id = $1', [brandId]);
  for (const where of ['schema', 'live'])
    expect((await into(where, id, begun)).stderr).toMatch(/NS_RESTORE_REFUSED.*forgotten/s);
});

test('an account that was purged since is in no restored schema, and its figures do not come back', async () => {
  await using closed = await aWorld(db);
  await closed.sync(false);
  await closed.roll();
  const id = await keep(closed);
  const { brandId, shop } = closed;
  const { id: request } = await db.transaction((tx) =>
    storeRequest(tx, testSealer, {
      ...{ brandId, connectionId: shop.connectionId, kind: 'erase_account', subject: {}, source: 'operator' },
      dueDays: 30,
    }),
  );
  await db.query("update ops.positions set last_success_at = '2020-01-01Z' where brand_id = $1", [brandId]);
  expect(await runTask(privacyPurge, { brandId, request }, db)).toMatchObject({ purged: expect.any(Number) });
  const [{ schema = '' } = {}] = (await into('schema', id, closed)).json() as { schema: string }[];
  const left = (await tracesOf(db, brandId, [shop.connectionId])).filter((row) => row.startsWith(schema));
  expect(left.map((row) => row.split(':')[0])).toEqual([]);
  expect(await db.column(`select count(*) > 0 from ${schema}.raw_stripe_charges`)).toEqual([true]);
  await db.query(`drop schema ${schema} cascade`);
  expect((await into('live', id, closed)).stderr).toMatch(/NS_RESTORE_REFUSED.*purged/s);
});

test('snapshots from before an erasure go on a stated day, pinned or not, and whom they hold is forgotten then', async () => {
  const { brandId, slug } = one;
  const known = () => db.column('select request from ops.erased_persons where brand_id = $1', [brandId]);
  const [request] = await known();
  await db.query(
    'update ops.snapshots set pinned_at = now(), pinned_by = $2 where brand_id = $1 and id = $3',
    [...[brandId, 'test', ids.one]],
  );
  const shown = await run(`privacy show ${request} --brand ${slug}`);
  const [{ snapshots_until: until = '' } = {}] = shown.json() as { snapshots_until: string }[];
  const days = await db.column(
    `select $1::timestamptz - min(done_at) between interval '89 days 23 hours 59 minutes' and interval '90 days'
     from ops.privacy_requests where brand_id = $2`,
    [until, brandId],
  );
  expect(days).toEqual([true]);
  await db.query(
    "update ops.privacy_requests set done_at = done_at - interval '60 days 1 hour' where brand_id = $1",
    [brandId],
  );
  await db.query(
    `update ops.snapshots set created_at = created_at - interval '70 days' where brand_id = $1 and id = $2`,
    [brandId, ids.one],
  );
  await db.query('create schema restored_0000000a'); // by an earlier version, which did not say whose it is
  const warned = (await run('doctor')).stdout;
  expect(warned).toContain('drop schema restored_0000000a cascade');
  expect(warned).toMatch(new RegExp(`${ids.one}.*pinned.*erased`));
  await runExpiry(db, place.store, brandId);
  expect(await db.column('select id from ops.snapshots where id = $1', [ids.one])).toEqual([ids.one]);
  await db.query(
    "update ops.privacy_requests set done_at = done_at - interval '30 days' where brand_id = $1",
    [brandId],
  );
  await db.query(
    `update ops.erased_persons set erased_at = erased_at - interval '90 days 1 hour' where brand_id = $1`,
    [brandId],
  );
  await db.query(
    `update ops.snapshots set created_at = created_at - interval '30 days' where brand_id = $1 and id = $2`,
    [brandId, ids.one],
  );
  await runExpiry(db, place.store, brandId);
  expect(await db.column('select id from ops.snapshots where id = $1', [ids.one])).toEqual([]);
  expect(await known()).toEqual([]);
});
