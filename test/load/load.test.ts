import { expect, test } from 'vitest';
import { loadItems } from '#sql/load/load.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import { freshDb } from '../support/db/db.ts';
import { twoShops } from '../support/rows/factory.ts';
import { aLoadBench, headersOf, loadFor, targetOf } from '../support/rows/load.ts';
import { aThing, at, createThings, parts, prices, things } from '../support/rows/things.ts';

const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-01T10:00:01Z');
const v3 = at('2024-05-01T10:00:02Z');

test('an item is stored with all its rows, and each day that they touch is marked once', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const late = at('2024-05-03T12:00:00Z');
  const item = aThing({
    thing: { tags: ['a b', 'c"\\d', ''] },
    parts: [{ id: 'p1' }, { id: 'p2', booked_at: late }],
  });
  expect(await bench.load([item])).toEqual({
    ...{ read: 1, rows: 3, changed: 1, unchanged: 0, stale: 0, deleted: 0, days: 2 },
  });
  expect(
    await db.rows('select id, tags, amount, payload, changed_at, seen_at, deleted_at from raw.things'),
  ).toEqual([
    {
      ...{ id: '1', tags: ['a b', 'c"\\d', ''], amount: '10.00', payload: { id: '1' } },
      ...{ changed_at: v1, seen_at: at('2024-06-01T00:00:00Z'), deleted_at: null },
    },
  ]);
  expect(await db.rows('select id, thing_id, changed_at from raw.parts order by id')).toEqual([
    { id: 'p1', thing_id: '1', changed_at: v1 },
    { id: 'p2', thing_id: '1', changed_at: v1 },
  ]);
  expect(await db.column('select day from ops.marks order by day')).toEqual(['2024-05-01', '2024-05-03']);
});

test('an unchanged item rewrites nothing, not even a row header, however its values are written', async () => {
  await using bench = await aLoadBench();
  const written = (amount: string, price: string, ids: string[]) =>
    aThing({
      thing: { amount, tags: ['x'], payload: amount === '10' ? { a: 1, b: [2] } : { b: [2], a: 1.0 } },
      parts: ids.map((id) => ({ id })),
      prices: [{ id: 'v', valid_from: v1, price }],
    });
  await bench.load([written('10', '3', ['p1', 'p2'])]);
  await bench.marked();
  const before = await bench.headers();
  expect(await bench.load([written('10.00', '3.0', ['p2', 'p1'])])).toMatchObject({
    changed: 0,
    unchanged: 1,
    days: 0,
  });
  expect(await bench.headers()).toEqual(before);
  expect(await bench.marked()).toEqual([]);
});

test('a newer version without other content moves the version of the root and nothing else', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const item = (changedAt: Date, name: string) =>
    aThing({ changedAt, thing: { name }, parts: [{ id: 'p1' }] });
  await bench.load([item(v1, 'same')]);
  await bench.marked();
  const children = await headersOf(db, [parts]);
  expect(await bench.load([item(v3, 'same')])).toMatchObject({ changed: 1, days: 0 });
  expect(await headersOf(db, [parts])).toEqual(children);
  // Were the version not stored, this one would pass for news.
  expect(await bench.load([item(v2, 'older')])).toMatchObject({ changed: 0, stale: 1 });
  expect(await db.rows('select name, changed_at from raw.things')).toEqual([
    { name: 'same', changed_at: v3 },
  ]);
});

test('where versions are instants of our own, a newer one without other content is not a change', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const target = targetOf(shop, { tables: [{ ...things, observed: true }] });
  const read = (changedAt: Date, name: string) =>
    db.transaction((tx) => loadItems(tx, target, [aThing({ changedAt, thing: { name } })]));
  await read(v1, 'a');
  const before = await bench.headers();
  expect(await read(v2, 'a')).toMatchObject({ changed: 0, unchanged: 1 });
  expect(await bench.headers()).toEqual(before);
  expect(await read(v3, 'b')).toMatchObject({ changed: 1 });
});

test('of an object that a page has several times the newest version stays, of equal ones the last', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const page = [
    aThing({ changedAt: v2, thing: { name: 'first of two' }, parts: [{ id: 'p1' }] }),
    aThing({ changedAt: v2, thing: { name: 'second of two' }, parts: [{ id: 'p2' }] }),
    aThing({ changedAt: v1, thing: { name: 'oldest' }, parts: [{ id: 'p3' }] }),
    aThing({
      id: '2',
      parts: [
        { id: 'q', quantity: 1 },
        { id: 'q', quantity: 2 },
      ],
    }),
  ];
  expect(await bench.load(page)).toMatchObject({ read: 4, changed: 2, unchanged: 0, stale: 2 });
  expect(await db.column('select name from raw.things order by id')).toEqual(['second of two', 'thing 2']);
  expect(await db.rows('select id, quantity from raw.parts order by id')).toEqual([
    { id: 'p2', quantity: 1 },
    { id: 'q', quantity: 2 },
  ]);
});

test('an older version is dropped as a whole', async () => {
  await using bench = await aLoadBench();
  await bench.load([aThing({ changedAt: v2, parts: [{ id: 'p1', quantity: 2 }] })]);
  await bench.marked();
  const before = await bench.headers();
  const older = aThing({
    changedAt: v1,
    thing: { name: 'old' },
    parts: [{ id: 'p1', quantity: 1 }, { id: 'p0' }],
  });
  expect(await bench.load([older])).toMatchObject({ changed: 0, unchanged: 0, stale: 1, days: 0 });
  expect(await bench.headers()).toEqual(before);
});

test('a dated row is stored only where it says something else than the newest earlier one', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const day = (n: number) => at(`2024-01-0${n}T00:00:00Z`);
  const priced = (changedAt: Date, n: number, price: string | null) =>
    bench.load([aThing({ changedAt, prices: [{ id: 'v', valid_from: day(n), price }] })]);
  const stored = () => db.rows('select valid_from, price, deleted_at from raw.prices order by valid_from');
  await priced(v1, 1, '5');
  await priced(v1, 2, '5.00');
  expect(await stored()).toEqual([{ valid_from: day(1), price: '5', deleted_at: null }]);
  await priced(v2, 3, null);
  await priced(v2, 4, null);
  await priced(v3, 5, '5');
  expect(await stored()).toEqual([
    { valid_from: day(1), price: '5', deleted_at: null },
    { valid_from: day(3), price: null, deleted_at: null },
    { valid_from: day(5), price: '5', deleted_at: null },
  ]);
  await priced(v3, 5, '6');
  expect((await stored()).at(-1)).toEqual({ valid_from: day(5), price: '6', deleted_at: null });
  await bench.load([aThing({ changedAt: v3, prices: [] })]);
  expect(await stored()).toHaveLength(3);
});

test('tenants with equal ids never touch each other', async () => {
  await using db = await freshDb();
  await createThings(db);
  const [one, other] = await twoShops(db);
  const item = aThing({
    parts: [{ id: 'p1' }, { id: 'p2' }],
    prices: [{ id: 'v', valid_from: v1, price: '1' }],
  });
  await loadFor(db, one, [item]);
  await loadFor(db, other, [item]);
  await db.query('delete from ops.marks');
  const theirs = () =>
    db.rows(
      `select id, xmin::text, xmax::text from raw.things where brand_id = $1
       union all select id, xmin::text, xmax::text from raw.parts where brand_id = $1 order by id`,
      [other.brand.id],
    );
  const before = await theirs();
  await loadFor(db, one, [aThing({ changedAt: v2, thing: { name: 'mine' }, parts: [] })]);
  await loadFor(db, one, [], [{ id: '1', deletedAt: v3 }]);
  expect(await theirs()).toEqual(before);
  expect(await db.column('select distinct brand_id from ops.marks')).toEqual([one.brand.id]);
});

test('two loads in one transaction do not see each other in staging', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  await bench.load([aThing({ id: '1' }), aThing({ id: '2' })]);
  await db.transaction(async (tx) => {
    for (const id of ['1', '2']) {
      const item = aThing({ id, changedAt: v2, thing: { name: 'n' }, parts: [{ id: `p${id}` }] });
      expect(await loadItems(tx, targetOf(shop), [item])).toMatchObject({ changed: 1, days: 1 });
    }
  });
  expect(await db.column('select name from raw.things')).toEqual(['n', 'n']);
});

test('a rejected record leaves the list once it loads, and no other one does', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const { brandId, connectionId, now } = targetOf(shop);
  const rejections = ['1', '2', '1'].map((key, n) => ({
    key,
    reason: `reason ${n}`,
    payload: { text: 'a\0b\ud800' },
  }));
  await db.transaction(async (tx) => {
    await rejectRows(tx, { brandId, connectionId, stream: 'made.things' }, rejections, now);
    await rejectRows(tx, { brandId, connectionId, stream: 'made.others' }, rejections.slice(0, 1), now);
  });
  const listed = () => db.rows('select stream, row_key, reason from ops.rejected_rows order by 1, 2');
  expect(await listed()).toContainEqual({ stream: 'made.things', row_key: '1', reason: 'reason 2' });
  await db.transaction((tx) => loadItems(tx, targetOf(shop, { stream: 'made.things' }), [aThing()]));
  expect(await listed()).toEqual([
    { stream: 'made.others', row_key: '1', reason: 'reason 0' },
    { stream: 'made.things', row_key: '2', reason: 'reason 1' },
  ]);
});

test('a failed load leaves nothing behind and the session fit for the next one', async () => {
  await using bench = await aLoadBench();
  await bench.load([aThing()]);
  await expect(bench.load([aThing({ changedAt: v2, thing: { amount: 1.5 } })])).rejects.toMatchObject({
    code: 'NS_ROW_UNFIT',
    context: { table: things.name, column: 'amount', id: '1' },
  });
  await expect(bench.load([aThing({ changedAt: v2, parts: [{ id: 'p', thing_id: '7' }] })])).rejects.toThrow(
    /thing_id/,
  );
  await expect(bench.load([aThing({ thing: { nmae: 'x' } })])).rejects.toThrow(/nmae/);
  expect(await bench.load([aThing({ changedAt: v2 })])).toMatchObject({ changed: 1 });
});

test('a connection that is not there is said so', async () => {
  await using bench = await aLoadBench();
  const { brand, retailer, connection } = bench.shop;
  const nowhere = { brand: { ...brand, id: connection.id }, retailer, connection };
  await expect(loadFor(bench.db, nowhere, [aThing()])).rejects.toMatchObject({ code: 'NS_CONNECTION_GONE' });
});

test('dated rows of a new object skip nothing that was stored for it under another root', async () => {
  await using bench = await aLoadBench();
  const price = (day: number) => [{ id: 'v', valid_from: at(`2024-01-0${day}T00:00:00Z`), price: '5' }];
  await bench.load([aThing({ id: '1', prices: price(1) })]);
  await bench.load([aThing({ id: '2', prices: price(2).map((row) => ({ ...row, thing_id: '2' })) })]);
  expect(await bench.db.rows(`select id, thing_id from ${prices.name} order by valid_from`)).toEqual([
    { id: 'v', thing_id: '1' },
    { id: 'v', thing_id: '2' },
  ]);
});
