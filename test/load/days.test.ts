import { expect, test } from 'vitest';
import { aLoadBench } from '../support/rows/load.ts';
import { aThing, at } from '../support/rows/things.ts';

const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-01T10:00:01Z');
const v3 = at('2024-05-01T10:00:02Z');

test('a change anywhere in an item touches all its days, those before the change and those after', async () => {
  await using bench = await aLoadBench();
  const part = (id: string, day: string) => ({ id, booked_at: at(`${day}T12:00:00Z`) });
  await bench.load([aThing({ changedAt: v1, parts: [part('p1', '2024-03-01'), part('p2', '2024-03-02')] })]);
  await bench.marked();
  const placed_at = at('2024-04-09T12:00:00Z');
  const parts = [part('p1', '2024-03-01'), part('p2', '2024-03-05')];
  await bench.load([aThing({ changedAt: v2, thing: { placed_at }, parts })]);
  expect(await bench.marked()).toEqual([
    '2024-03-01',
    '2024-03-02',
    '2024-03-05',
    '2024-04-09',
    '2024-05-01',
  ]);
  // Parts that were not read count with the days that are stored.
  await bench.load([aThing({ changedAt: v3, thing: { placed_at, is_open: false } })]);
  expect(await bench.marked()).toEqual(['2024-03-01', '2024-03-05', '2024-04-09']);
});

test.for<[string, string, string]>([
  ['Europe/London', '2024-03-30T23:59:59Z', '2024-03-30'],
  ['Europe/London', '2024-03-31T22:59:59Z', '2024-03-31'], // a day of 23 hours
  ['Europe/London', '2024-03-31T23:00:00Z', '2024-04-01'],
  ['America/New_York', '2024-11-03T04:00:00Z', '2024-11-03'], // a day of 25 hours
  ['America/New_York', '2024-11-04T04:59:59Z', '2024-11-03'],
  ['Asia/Kolkata', '2024-05-01T18:30:00Z', '2024-05-02'],
  ['Pacific/Auckland', '2024-05-01T12:00:00Z', '2024-05-02'],
])('in %s the instant %s belongs to %s', async ([timeZone, instant, day]) => {
  await using bench = await aLoadBench({ timeZone });
  await bench.load([aThing({ thing: { placed_at: at(instant) } })]);
  expect(await bench.marked()).toEqual([day]);
});

test('a row that goes over to another root marks the days of both', async () => {
  await using bench = await aLoadBench();
  const { db } = bench;
  const booked_at = at('2024-02-02T12:00:00Z');
  const placed = (day: string) => ({ placed_at: at(`${day}T12:00:00Z`) });
  await bench.load([aThing({ id: '1', thing: placed('2024-01-01'), parts: [{ id: 'p', booked_at }] })]);
  await bench.marked();
  // New to us, so its rows are tried directly first: the part is there already.
  expect(
    await bench.load([aThing({ id: '2', changedAt: v2, thing: placed('2024-01-09'), parts: [{ id: 'p' }] })]),
  ).toMatchObject({ changed: 1 });
  expect(await db.rows('select id, thing_id from raw.parts')).toEqual([{ id: 'p', thing_id: '2' }]);
  expect(await bench.marked()).toEqual(['2024-01-01', '2024-01-09', '2024-02-02']);
});
