/** Rates and rollups do not hold each other up. */
import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { lockRollup } from '#sql/dirty/marks.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { freshDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { aSeller, daysOf } from '../support/providers/fx.ts';
import { aRetailer } from '../support/rows/factory.ts';

const day = '2026-04-10';
const store = (tx: Tx) => {
  const days = daysOf([
    ['USD', day, '1.1711'],
    ['GBP', day, '0.8712'],
  ]);
  return storeRates(tx, { days, source: 'test', now: new Date(), actor: 'test' });
};
const advisory = "select count(*) from pg_locks where locktype = 'advisory' and granted and pid = $1";

test('rates take one lock, however many retailers there are, and wait for no rollup', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  for (let count = 0; count < 20; count++) await aRetailer(db, { brandId: brand.id });
  await using rolling = await openTransaction(db);
  await lockRollup(rolling.tx, brand.id, retailer.id);
  await using storing = await openTransaction(db);
  expect(await store(storing.tx)).toMatchObject({ added: 2, days: 1 });
  expect(await db.column(advisory, [storing.pid])).toEqual([1]); // the other store
  expect(await claimMarks(rolling.tx, brand.id, retailer.id, 10)).toEqual([]);
  await storing.commit();
  expect(await claimMarks(rolling.tx, brand.id, retailer.id, 10)).toEqual([{ subject: 'fx', day }]);
});
