/** Subscriptions that we watch: from the first look on, days are what they truly were. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { assertAddsUp, aWatchedClub, known, mrrRows } from '../support/mrr/mrr.ts';
import { inForm } from '../support/property.ts';

const END = '2011-12-10T06:00:00Z';
const FIRST = '2011-03-20T09:30:00Z';
const DAYS_WATCHED = inForm(8, 14); // also the one of the change of clocks, and of pauses
const LAST_WATCHED = inForm('2011-03-28', '2011-04-03');

/** One look a day, at an hour that moves. */
const WATCHED = Array.from({ length: DAYS_WATCHED }, (_, index) =>
  new Date(
    Date.parse('2011-03-21T01:10:00Z') + index * 86_400_000 + ((index * 7) % 11) * 3_600_000,
  ).toISOString(),
);
// Weeks without a look, and two months, after which Stripe's events are gone.
const LATER = ['2011-04-19T12:00:00Z', '2011-06-25T12:00:00Z', END];

// Of several changes between two looks the last one can be read only; bills tell of the others.
test('days that were watched are what they were, with their pauses, and those that were missed too', async () => {
  await using db = await freshDb();
  await using club = await aWatchedClub(db, END);
  for (const now of [FIRST, ...WATCHED, ...LATER]) await club.watch(now);
  const rows = await mrrRows(db, club.brandId);
  assertAddsUp(rows);
  const held = rows.filter((row) => row.active_subscriptions + row.trialing > 0);
  expect(held.map(known)).toEqual(club.truth().map(known));

  const isWatched = ({ day }: { day: string }) => day > '2011-03-20' && day < LAST_WATCHED;
  const seen = held.filter(isWatched);
  const pauses = (row: { day: string; plan: string; paused: number | null }) =>
    `${row.day} ${row.plan} ${row.paused}`;
  expect(seen.map(pauses)).toEqual(club.truth().filter(isWatched).map(pauses));
  expect(seen.some(({ paused }) => Number(paused) > 0)).toBe(true);
  expect(rows.filter((row) => isWatched(row) && row.is_reconstructed)).toEqual([]);
  const before = held.filter(({ day }) => day < '2011-03-20');
  expect(before.every((row) => row.is_reconstructed && row.paused === null)).toBe(true);
});

test('what was today is computed again once it is over, and each new day has its rows', async () => {
  await using db = await freshDb();
  await using club = await aWatchedClub(db, END);
  const day = async (wanted: string) =>
    (await mrrRows(db, club.brandId)).filter((row) => row.day === wanted).map(known);
  const truthOf = (wanted: string, now: string) =>
    club
      .truth(now)
      .filter((row) => row.day === wanted)
      .map(known);
  // price_dollars1 of the club begins on this day in the afternoon.
  const morning = '2011-01-11T06:00:00Z';
  await club.watch(morning);
  expect(await day('2011-01-11')).toEqual(truthOf('2011-01-11', morning));
  expect(await day('2011-01-12')).toEqual([]);
  const next = '2011-01-12T06:00:00Z';
  await club.watch(next);
  expect(truthOf('2011-01-11', next)).not.toEqual(truthOf('2011-01-11', morning));
  expect(await day('2011-01-11')).toEqual(truthOf('2011-01-11', next));
  expect(await day('2011-01-12')).toEqual(truthOf('2011-01-12', next));
});
