/** Money that waits for weeks until it is available: a reserve, for instance. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const instant = (seconds: number) => new Date(seconds * 1000).toISOString();

test('what waits for long is listed again once it is due, and not at every run until then', async () => {
  await using db = await freshDb();
  const held = { id: 'txn_1', amount: 500, currency: 'usd', type: 'charge' };
  const files = {
    balance_transactions: [
      { ...held, created: NOW_SECONDS - 60 * DAY, available_on: NOW_SECONDS + 30 * DAY },
    ],
  };
  await using account = await anAccountOf(db, files);
  const status = () => account.rows('balance_transactions', 'status');
  await account.sync('balance_transactions');
  expect(await status()).toEqual([{ status: 'pending' }]);

  const before = (await account.asked()).length;
  await account.sync('balance_transactions', { now: instant(NOW_SECONDS + 3_600) });
  const asked = (await account.asked()).slice(before).filter((path) => path.includes('balance_transactions'));
  const from = asked.map((path) => Number(new URL(path, 'http://x').searchParams.get('created[gte]')));
  expect(from.length).toBeGreaterThan(0);
  expect(Math.min(...from)).toBeGreaterThan(NOW_SECONDS - 20 * DAY);

  const due = instant(NOW_SECONDS + 31 * DAY);
  await account.serve(files, { now: due });
  await account.sync('balance_transactions', { now: due });
  expect(await status()).toEqual([{ status: 'available' }]);
});
