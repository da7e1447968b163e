/** A year of the made-up club that nobody watched, against what its lives say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb } from '../support/db/db.ts';
import { assertAddsUp, known, mrrRows, rollUp, type TruthRow } from '../support/mrr/mrr.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';

const NOW = '2011-12-10T06:00:00Z';
/** Days of the year on which collection was paused for somebody: for how many, nobody can know afterwards. */
const PAUSED_DAYS = 166;
const CLUB = { auth: 'connected', secret: 'rk_test_sandbox_giftware', account: 'acct_giftwareclub' };

let sandbox: Awaited<ReturnType<typeof startSandbox>>;
beforeAll(async () => {
  sandbox = await startSandbox();
}, 60_000);
afterAll(() => sandbox[Symbol.asyncDispose]());

async function truth(): Promise<TruthRow[]> {
  const answer = await fetch(`${sandbox.url}/_sandbox/truth/mrr?account=acct_giftwareclub`);
  return ((await answer.json()) as { days: TruthRow[] }).days;
}

// Whatever comes first, the bills or what they are for, the year comes out alike.
test.each([[['prices', 'subscriptions', 'invoices']], [['invoices', 'subscriptions', 'prices']]])(
  'a year that nobody watched is reconstructed to the penny, read in the order %s',
  async (streams) => {
    await using db = await freshDb();
    const club = await connectStripe(db, sandbox, CLUB);
    for (const stream of streams) {
      await club.sync(stream, { now: NOW });
      await rollUp(db, club.brandId, NOW);
    }
    const rows = await mrrRows(db, club.brandId);
    const expected = await truth();
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
