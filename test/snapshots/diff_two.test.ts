/** Two snapshots of a brand beside each other: what came, what went, what changed, and by how much money. */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { compareTwo } from '#tasks/snapshots/restore/compare.ts';
import type { Store } from '#tasks/snapshots/store.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { type Shop, TEST_KEYS, testSealer, twoShops } from '../support/rows/factory.ts';
import { aStore, fillYear, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let place: StoreDir;
let shop: Shop;
let other: Shop;

beforeAll(async () => {
  db = await freshDb();
  place = await aStore();
  [shop, other] = (await twoShops(db)) as [Shop, Shop];
  for (const { brand, connection } of [shop, other]) await fillYear(db, brand.id, connection.id, 24_000);
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

const SALES = 'raw.shopify_sales';
const make = (store = place.store) => makeSnapshot(db, store, shop.brand);
const run = (line: string) =>
  nightshift([...line.split(' '), '--brand', shop.brand.slug], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });
const ofShop = (sql: string) => db.query(sql, [shop.brand.id]);

test('what came, went and changed is counted, with what is more of each currency; other brands are not seen', async () => {
  const first = await make();
  await ofShop(`delete from ${SALES} where brand_id = $1 and id in ('1', '2')`); // 1.01 and 1.02 GBP
  await ofShop(`update ${SALES} set total_amount = 5 where brand_id = $1 and id = '3'`); // was 1.03
  await ofShop(`update ${SALES} set currency = 'JPY', total_amount = 100 where brand_id = $1 and id = '4'`); // was 1.04
  await ofShop(
    `insert into ${SALES} select (jsonb_populate_record(s, '{"id": "new", "total_amount": 7.5}')).* from ${SALES} s
     where brand_id = $1 and id = '5'`,
  );
  await db.query(`delete from ${SALES} where brand_id = $1`, [other.brand.id]);
  const second = await make();

  const found = await run(`snapshots diff ${first.id} ${second.id} --json`);
  const sales = { table: SALES, only_first: 2, only_second: 1, changed: 2 };
  // −1.01 − 1.02 + 3.97 − 1.04 + 7.50 GBP
  const money = [
    { column: 'total_amount', currency: 'GBP', more: '8.4' },
    { column: 'total_amount', currency: 'JPY', more: '100' },
  ];
  expect(found.json()).toEqual([{ ...sales, money }]);
  const back = await run(`snapshots diff ${second.id} ${first.id}`);
  expect(back.stdout).toMatch(/raw\.shopify_sales\t1\t2\t2\ttotal_amount -8\.4 GBP; total_amount -100 JPY/);
  expect((await run(`snapshots diff ${first.id} ${first.id}`)).stderr).toContain('Nothing differs between');
});

test('of what is equal nothing is read', async () => {
  const first = await make();
  await ofShop(`update ${SALES} set quantity = quantity + 1 where brand_id = $1 and id = '9000'`);
  const second = await make();
  const read: string[] = [];
  const store: Store = {
    ...place.store,
    read(name) {
      read.push(name);
      return place.store.read(name);
    },
  };
  const found = await compareTwo({
    ...{ db, store, sealer: testSealer, brandId: shop.brand.id, limitSeconds: 60 },
    ...{ one: first.content, other: second.content },
  });
  expect(found).toMatchObject([{ table: SALES, onlyOne: 0, onlyOther: 0, changed: 1, money: [] }]);
  expect(read.filter((name) => name.includes('/parts/'))).toHaveLength(2); // the month of then, and of now
});

test('with one of figures alone only these are compared, and a snapshot of another brand is none of this one', async () => {
  const all = await make();
  const figures = await makeSnapshot(db, place.store, shop.brand, { scope: 'aggregates' });
  const found = await run(`snapshots diff ${all.id} ${figures.id} --json`);
  expect(found).toMatchObject({ code: 0, stderr: expect.stringContaining('only these were compared') });
  expect(found.json()).toEqual([]);
  const foreign = await makeSnapshot(db, place.store, other.brand, { scope: 'aggregates' });
  expect(await run(`snapshots diff ${all.id} ${foreign.id}`)).toMatchObject({ code: 3 });
});

test('a part that is damaged is no difference: it is said', async () => {
  const first = await make();
  await ofShop(`update ${SALES} set quantity = quantity + 1 where brand_id = $1 and id = '9001'`);
  const second = await make();
  const changed = second.parts.find(({ isNew }) => isNew);
  if (!changed) throw new Error('nothing was stored');
  await place.store.remove(`${shop.brand.id}/parts/${changed.name}.${changed.keyId}`);
  const found = await run(`snapshots diff ${first.id} ${second.id}`);
  expect(found).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(changed.name) });
});

const change = fc.record({
  id: fc.integer({ min: 1, max: 40 }),
  amount: fc.option(fc.integer({ min: 1, max: 9_999 })), // null deletes the row
});

// Whatever the two have, the difference is that of their rows, and the other way round it is the same.
test('a difference is that of the rows, in both directions', async () => {
  await using own = await freshDb();
  const [{ brand, connection }] = (await twoShops(own)) as [Shop, Shop];
  const rows = async () =>
    new Map(
      (await own.rows(`select id, total_amount::text as amount from ${SALES}`)).map(({ id, amount }) => [
        id,
        amount,
      ]),
    );
  const law = fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
    await using store = await aStore();
    await own.query(`delete from ${SALES}`);
    await own.query('delete from ops.snapshots');
    await fillYear(own, brand.id, connection.id, 30);
    const before = await rows();
    const one = await makeSnapshot(own, store.store, brand);
    for (const { id, amount } of changes) {
      await own.query(`delete from ${SALES} where id = $1 and $2::int is null`, [id, amount]);
      await own.query(`update ${SALES} set total_amount = $2::numeric / 100 where id = $1`, [
        id,
        amount ?? 0,
      ]);
    }
    const after = await rows();
    const two = await makeSnapshot(own, store.store, brand);
    const compare = (a: typeof one, b: typeof two) =>
      compareTwo({
        ...{ db: own, store: store.store, sealer: testSealer, brandId: brand.id, limitSeconds: 60 },
        ...{ one: a.content, other: b.content },
      });
    const cents = (of: typeof before) =>
      [...of.values()].reduce((sum, amount) => sum + Math.round(Number(amount) * 100), 0);
    const went = [...before.keys()].filter((id) => !after.has(id)).length;
    const changed = [...after].filter(([id, amount]) => before.get(id) !== amount).length;
    const more = cents(after) - cents(before);
    const [found] = await compare(one, two);
    const [back] = await compare(two, one);
    if (went + changed === 0) {
      expect([found, back]).toEqual([undefined, undefined]);
      return;
    }
    expect(found).toMatchObject({ onlyOne: went, onlyOther: 0, changed });
    expect(back).toMatchObject({ onlyOne: 0, onlyOther: went, changed });
    const amounts = [found, back].map((of) => Math.round(Number(of?.money[0]?.more ?? 0) * 100));
    expect(amounts).toEqual(more === 0 ? [0, 0] : [more, -more]);
  });
  await assertHolds(law, 5);
});
