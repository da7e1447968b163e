/** The days on which the ECB publishes. */
import { expect, test } from 'vitest';
import { isPublicationDay, lastPublication, publicationDays } from '#connectors/ecb/calendar.ts';
import { historyCells } from '../support/providers/fx.ts';

const real = [...historyCells().keys()].sort();
const years = Array.from({ length: 2025 - 1999 + 1 }, (_, index) => String(1999 + index));

test.each(years)('in %s they are those of the real history', (year) => {
  const from = year === '1999' ? '1999-01-04' : `${year}-01-01`;
  expect(publicationDays(from, `${year}-12-31`)).toEqual(real.filter((day) => day.startsWith(year)));
});

test.each([
  ['2026-04-03', false, 'Good Friday'],
  ['2026-04-06', false, 'Easter Monday'],
  ['2026-05-01', false, 'Labour Day'],
  ['2026-12-24', true, 'Christmas Eve'],
  ['2026-12-25', false, 'Christmas'],
  ['2027-12-31', true, 'the last day of the year'],
  ['2028-01-01', false, 'a Saturday and New Year'],
  ['2038-04-26', false, 'the latest Easter Monday there can be'],
])('%s: %s, as %s', (day, publishes) => {
  expect(isPublicationDay(day)).toBe(publishes);
});

test.each([
  ['2026-01-15T14:59:59Z', '2026-01-14', 'before four in winter'],
  ['2026-01-15T15:00:00Z', '2026-01-15', 'four in winter'],
  ['2026-07-15T13:59:59Z', '2026-07-14', 'before four in summer'],
  ['2026-07-15T14:00:00Z', '2026-07-15', 'four in summer'],
  ['2026-11-21T23:30:00Z', '2026-11-20', 'a Sunday in Frankfurt, a Saturday in London'],
  ['2026-04-07T12:00:00Z', '2026-04-02', 'the Tuesday after Easter, before four'],
  ['2026-01-01T22:00:00Z', '2025-12-31', 'New Year'],
])('at %s the newest rates are of %s: %s', (now, day) => {
  expect(lastPublication(new Date(now))).toBe(day);
});
