import { expect, test } from 'vitest';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { freshDb } from '../support/db/db.ts';
import { INVOICES } from '../support/money/invoices.ts';
import { LIVES, noon, SEEN_ONLY_CHANGES, TRACEABLE, TRACEABLE_CHANGES } from '../support/money/lives.ts';
import { rollUp } from '../support/money/money.ts';
import { dailyMrr, mrrRows } from '../support/money/mrr.ts';
import { post } from '../support/providers/sandbox.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { aBrand } from '../support/rows/factory.ts';

const CHANGES = [...TRACEABLE_CHANGES, ...SEEN_ONLY_CHANGES];
const LAST_DAY = '2026-11-20';

// No two changes of one subscription lie between two of these.
const OBSERVED = [
  '10-20', '10-22T08:00:00', '10-24T08:00:00', '10-26T08:00:00', '10-28T08:00:00', '10-29T08:00:00',
  '10-31T08:00:00', '11-02T08:00:00', '11-03T08:00:00', '11-05T08:00:00', '11-06T08:00:00', '11-08T08:00:00',
  '11-10T08:00:00', '11-13T08:00:00', '11-20T06:00:00',
]; // biome-ignore format: instants

test('what was watched has the movements that one adds up by hand, each day and plan', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, LIVES);
  await db.transaction((tx) => limitRequests(tx, account, 2_000));
  for (const at of OBSERVED) {
    const now = new Date(noon(at) * 1000).toISOString();
    await post(account.sandbox, 'load', { dir: account.sandbox.dir, now });
    for (const stream of ['prices', 'subscriptions'])
      expect(await account.sync(stream, { now })).toMatchObject({ rejected: 0 });
    await rollUp(db, account.brandId, now);
  }
  expect(await mrrRows(db, account.brandId)).toEqual(dailyMrr(CHANGES, LAST_DAY));
});

/** In New York the night of London belongs to the day before, and what was there for hours was there at its end. */
const NEW_YORK = [
  ...TRACEABLE_CHANGES.filter(({ day, plan }) => day !== '10-25' || plan !== 'month'),
  { day: '10-24', plan: 'month', active: 1, new: '10' },
  { day: '10-25', plan: 'month', active: 2, new: '20' },
  { day: '10-27', plan: 'month', active: 1, new: '10' },
  { day: '10-28', plan: 'month', active: -1, churned: '10', lost: 1 },
];

test('what was read at the end only is worked out backwards to the same figures, and says so', async () => {
  await using db = await freshDb();
  await using london = await anAccountOf(db, { ...LIVES, subscriptions: TRACEABLE, invoices: INVOICES });
  const { id: brandId } = await aBrand(db, { timeZone: 'America/New_York' });
  const newYork = await connectStripe(db, london.sandbox, { brandId });
  const accounts = [[london, TRACEABLE_CHANGES] as const, [newYork, NEW_YORK] as const];
  for (const [account] of accounts) {
    await db.transaction((tx) => limitRequests(tx, account, 2_000));
    for (const stream of ['prices', 'subscriptions', 'invoices'])
      expect(await account.sync(stream)).toMatchObject({ rejected: 0 });
  }
  for (const [account] of accounts) await rollUp(db, account.brandId);
  for (const [account, changes] of accounts) {
    const before = dailyMrr(changes, '2026-11-19', true);
    const today = dailyMrr(changes, LAST_DAY).filter(({ day }) => day === LAST_DAY); // seen by now
    expect(await mrrRows(db, account.brandId)).toEqual([...before, ...today]);
  }
});
