import { expect, test } from 'vitest';
import { loadItems } from '#sql/load/load.ts';
import type { Item } from '#sql/load/table.ts';
import { aLoadBench, type LoadBench, targetOf } from '../support/rows/load.ts';
import { aThing, at, parts, things } from '../support/rows/things.ts';

const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-01T10:00:01Z');
const v3 = at('2024-05-01T10:00:02Z');

const withPart = (quantity: number, item: { id?: string; changedAt?: Date } = {}) =>
  aThing({ ...item, parts: [{ id: 'p', quantity }] });

const stagingTables = ({ db }: LoadBench) =>
  db.column("select relname from pg_class where relname like 'staging_%'");

test('an item that says what it said is known without comparing a row of it', async () => {
  await using bench = await aLoadBench();
  await bench.load([withPart(1)]);
  const before = await bench.headers();
  expect(await bench.load([withPart(1)])).toMatchObject({ changed: 0, unchanged: 1, days: 0 });
  expect(await bench.headers()).toEqual(before);
  expect(await stagingTables(bench)).toEqual([]);
  await bench.load([withPart(2)]);
  expect(await stagingTables(bench)).not.toEqual([]);
});

test('a change below the root, and back again, is each time one', async () => {
  await using bench = await aLoadBench();
  for (const quantity of [1, 2, 1, 2]) {
    expect(await bench.load([withPart(quantity)])).toMatchObject({ changed: 1 });
    expect(await bench.db.column('select quantity from raw.parts')).toEqual([quantity]);
  }
});

test('it is the same where only our own instants tell versions apart', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const tables = [{ ...things, observed: true }, parts];
  const load = (item: Item) => db.transaction((tx) => loadItems(tx, targetOf(shop, { tables }), [item]));
  await load(withPart(1, { changedAt: v1 }));
  const before = await bench.headers();
  expect(await load(withPart(1, { changedAt: v2 }))).toMatchObject({ changed: 0, unchanged: 1 });
  expect(await bench.headers()).toEqual(before);
  expect(await load(withPart(2, { changedAt: v2 }))).toMatchObject({ changed: 1 });
  expect(await load(withPart(1, { changedAt: v3 }))).toMatchObject({ changed: 1 });
  expect(await db.column('select quantity from raw.parts')).toEqual([1]);
});

test('a root that lost a row to another one is compared when it comes again', async () => {
  await using bench = await aLoadBench();
  const owner = () => bench.db.column('select thing_id from raw.parts');
  await bench.load([withPart(1, { id: '1' })]);
  await bench.load([withPart(1, { id: '2' })]);
  expect(await owner()).toEqual(['2']);
  await bench.load([withPart(1, { id: '1' })]);
  expect(await owner()).toEqual(['1']);
});

test('an object that comes back from the dead as it was is alive again', async () => {
  await using bench = await aLoadBench();
  await bench.load([withPart(1)]);
  await bench.load([], [{ id: '1', deletedAt: v2 }]);
  expect(await bench.load([withPart(1)])).toMatchObject({ changed: 0, stale: 1 });
  expect(await bench.load([withPart(1, { changedAt: v3 })])).toMatchObject({ changed: 1 });
  expect(await bench.db.column('select deleted_at from raw.things')).toEqual([null]);
});

test('a table that was not read is not the same as one that was read and is empty', async () => {
  await using bench = await aLoadBench();
  const renamed = { thing: { name: 'other' } };
  await bench.load([withPart(1)]);
  await bench.load([aThing(renamed)]);
  expect(await bench.load([aThing({ ...renamed, parts: [] })])).toMatchObject({ changed: 1 });
  expect(await bench.db.column('select count(*) from raw.parts where deleted_at is null')).toEqual([0]);
});
