import { expect, test } from 'vitest';
import { aLoadBench } from '../support/rows/load.ts';
import { aThing, at } from '../support/rows/things.ts';

const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-02T10:00:00Z');
const placed = { thing: { placed_at: at('2024-03-01T09:00:00Z') } };

/** Rows that go over from one root to another. No provider does that today, and no day may be lost if one does. */
test('a row that goes over to another root of the same page marks the days of both', async () => {
  await using bench = await aLoadBench();
  const part = (day: string) => ({ id: 'p', booked_at: at(`${day}T12:00:00Z`) });
  await bench.load([
    aThing({ id: '1', changedAt: v1, ...placed, parts: [part('2024-05-05')] }),
    aThing({ id: '2', changedAt: v1, ...placed, parts: [] }),
  ]);
  await bench.marked();
  await bench.load([
    aThing({ id: '1', changedAt: v2, ...placed, parts: [] }),
    aThing({ id: '2', changedAt: v2, ...placed, parts: [part('2024-05-08')] }),
  ]);
  expect(await bench.marked()).toEqual(['2024-03-01', '2024-05-05', '2024-05-08']);
});

test('a root that lost a row on the page on which it came itself can get it back', async () => {
  await using bench = await aLoadBench();
  const part = { id: 'p' };
  const owner = () => bench.db.column('select thing_id from raw.parts where deleted_at is null');
  await bench.load([aThing({ id: '1', parts: [part] }), aThing({ id: '2', parts: [] })]);
  await bench.load([aThing({ id: '1', parts: [] }), aThing({ id: '2', parts: [part] })]);
  expect(await owner()).toEqual(['2']);
  await bench.load([aThing({ id: '2', parts: [] }), aThing({ id: '1', parts: [part] })]);
  expect(await owner()).toEqual(['1']);
});
