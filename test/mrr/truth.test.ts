/** A year of the made-up club that nobody watched, against what its lives say. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { assertAddsUp, aWatchedClub, known, mrrRows, rollUp } from '../support/mrr/mrr.ts';

const NOW = '2011-12-10T06:00:00Z';
/** Days of the year on which collection was paused for somebody: for how many, nobody can know afterwards. */
const PAUSED_DAYS = 166;

// Whatever comes first, the bills or what they are for, the year comes out alike.
test.each([[['prices', 'subscriptions', 'invoices']], [['invoices', 'subscriptions', 'prices']]])(
  'a year that nobody watched is reconstructed to the penny, read in the order %s',
  async (streams) => {
    await using db = await freshDb();
    await using club = await aWatchedClub(db, NOW);
    for (const stream of streams) {
      await club.sync(stream, { now: NOW });
      await rollUp(db, club.brandId, NOW);
    }
    const rows = await mrrRows(db, club.brandId);
    const expected = club.truth();
    expect(expected.length).toBeGreaterThan(2_000);
    const held = rows.filter((row) => row.active_subscriptions + row.trialing > 0);
    expect(held.map(known)).toEqual(expected.map(known));
    assertAddsUp(rows);

    // The last day alone is seen; of all days before, a pause is what leaves no trace.
    expect(held.every((row) => row.is_reconstructed === row.day < '2011-12-10')).toBe(true);
    expect(held.every((row) => (row.paused === null) === row.is_reconstructed)).toBe(true);
    expect(new Set(expected.filter(({ paused }) => paused > 0).map(({ day }) => day)).size).toBe(PAUSED_DAYS);
  },
);
