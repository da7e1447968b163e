import { expect, test } from 'vitest';
import { aLoadBench, headersOf } from '../support/rows/load.ts';
import { aThing, at, parts } from '../support/rows/things.ts';

const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-01T10:00:01Z');
const v3 = at('2024-05-01T10:00:02Z');

test('a row that its root no longer has becomes a tombstone, and lives again when it comes back', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const day = (n: number) => at(`2024-05-0${n}T12:00:00Z`);
  const both = [
    { id: 'p1', booked_at: day(2) },
    { id: 'p2', booked_at: day(3) },
  ];
  const state = () => db.rows('select id, changed_at, deleted_at from raw.parts order by id');
  await bench.load([aThing({ changedAt: v1, parts: both }), aThing({ id: '2', parts: [{ id: 'other' }] })]);
  await bench.marked();

  await bench.load([aThing({ changedAt: v2, parts: both.slice(0, 1) })]);
  expect(await state()).toEqual([
    { id: 'other', changed_at: v1, deleted_at: null },
    { id: 'p1', changed_at: v1, deleted_at: null },
    { id: 'p2', changed_at: v2, deleted_at: v2 },
  ]);
  expect(await bench.marked()).toEqual(['2024-05-01', '2024-05-02', '2024-05-03']);

  const buried = await headersOf(db, [parts]);
  await bench.load([aThing({ changedAt: v2, parts: both.slice(0, 1) })]);
  expect(await headersOf(db, [parts])).toEqual(buried);

  await bench.load([aThing({ changedAt: v3, parts: both })]);
  expect(await state()).toContainEqual({ id: 'p2', changed_at: v3, deleted_at: null });
  expect(await bench.marked()).toEqual(['2024-05-01', '2024-05-02', '2024-05-03']);
});

test('rows of a table that was not read are left alone; of one that was read as empty they go', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  await bench.load([aThing({ changedAt: v1, parts: [{ id: 'p1' }] })]);
  await bench.load([aThing({ changedAt: v2, thing: { name: 'again' } })]);
  expect(await db.column('select deleted_at from raw.parts')).toEqual([null]);
  await bench.load([aThing({ changedAt: v3, thing: { name: 'again' }, parts: [] })]);
  expect(await db.column('select deleted_at from raw.parts')).toEqual([v3]);
});

test('a deletion makes a tombstone that only a newer version brings back', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const state = () => db.rows('select changed_at, deleted_at from raw.things');
  const item = (changedAt: Date) =>
    aThing({ changedAt, parts: [{ id: 'p1', booked_at: at('2024-05-07T12:00:00Z') }] });
  await bench.load([item(v1)]);
  await bench.marked();

  expect(await bench.load([], [{ id: '1', deletedAt: v2 }])).toMatchObject({ deleted: 1, days: 2 });
  expect(await state()).toEqual([{ changed_at: v2, deleted_at: v2 }]);
  expect(await bench.marked()).toEqual(['2024-05-01', '2024-05-07']);

  const buried = await bench.headers();
  expect(await bench.load([], [{ id: '1', deletedAt: v2 }])).toMatchObject({ deleted: 0, days: 0 });
  expect(await bench.load([item(v1)])).toMatchObject({ stale: 1, days: 0 });
  expect(await bench.load([item(v2)])).toMatchObject({ stale: 1, days: 0 });
  expect(await bench.headers()).toEqual(buried);

  expect(await bench.load([item(v3)])).toMatchObject({ changed: 1, days: 2 });
  expect(await state()).toEqual([{ changed_at: v3, deleted_at: null }]);
  expect(await bench.load([], [{ id: '1', deletedAt: v2 }])).toMatchObject({ deleted: 0, days: 0 });
  expect(await state()).toEqual([{ changed_at: v3, deleted_at: null }]);
});

test('a deletion that comes before the object keeps an older version of it out', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  await bench.load([], [{ id: '1', deletedAt: v2 }]);
  expect(await bench.load([aThing({ changedAt: v1 })])).toMatchObject({ changed: 0, stale: 1, days: 0 });
  expect(await db.rows('select from raw.things')).toEqual([]);
  expect(await bench.load([aThing({ changedAt: v3 })])).toMatchObject({ changed: 1 });
  expect(await db.rows('select from ops.early_deletions')).toEqual([]);
  await bench.load([], [{ id: '1', deletedAt: at('2024-05-02T00:00:00Z') }]);
  expect(await db.column('select deleted_at from raw.things')).toEqual([at('2024-05-02T00:00:00Z')]);
});

test('in one page the later of a version and a deletion counts', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  await bench.load([aThing({ id: '1' }), aThing({ id: '2' })]);
  const page = [
    aThing({ id: '1', changedAt: v2, thing: { name: 'n' } }),
    aThing({ id: '2', changedAt: v3, thing: { name: 'n' } }),
  ];
  const tally = await bench.load(page, [
    { id: '1', deletedAt: v3 },
    { id: '2', deletedAt: v2 },
  ]);
  expect(tally).toMatchObject({ read: 2, changed: 1, stale: 1, deleted: 1 });
  expect(await db.rows('select id, name, deleted_at from raw.things order by id')).toEqual([
    { id: '1', name: 'thing 1', deleted_at: v3 },
    { id: '2', name: 'n', deleted_at: null },
  ]);
});
