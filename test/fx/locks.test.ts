/** Rates and rollups hold each other up where they must, with two locks, and never for good. */
import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks, lockRollup } from '#sql/dirty/marks.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { freshDb } from '../support/db/db.ts';
import { openTransaction, waitUntilBlocked } from '../support/db/sessions.ts';
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

test('rates take as many locks for many retailers as for one', async () => {
  await using db = await freshDb();
  const { brand } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  for (let count = 0; count < 20; count++) await aRetailer(db, { brandId: brand.id });
  await using storing = await openTransaction(db);
  await store(storing.tx);
  expect(await db.column(advisory, [storing.pid])).toEqual([2]); // the other store, and the rollups
});

test('a rollup goes on while rates wait for it, and one that comes then waits behind them', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  await using rolling = await openTransaction(db);
  await using storing = await openTransaction(db);
  await using next = await openTransaction(db);
  await lockRollup(rolling.tx, brand.id, retailer.id);
  const stored = store(storing.tx);
  await waitUntilBlocked(db, storing, rolling);
  expect(await claimMarks(rolling.tx, brand.id, retailer.id, 10)).toEqual([]); // takes its locks again
  const claim = claimMarks(next.tx, brand.id, retailer.id, 10);
  await waitUntilBlocked(db, next, storing);
  await rolling.commit();
  expect(await stored).toMatchObject({ added: 2, days: 1 });
  await storing.commit();
  expect(await claim).toEqual([{ subject: 'fx', day }]);
});

test('a rollup of a retailer that is added meanwhile waits for the rates too', async () => {
  await using db = await freshDb();
  const { brand } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  await using storing = await openTransaction(db);
  await using rolling = await openTransaction(db);
  await store(storing.tx);
  const added = await aRetailer(db, { brandId: brand.id });
  const waiting = lockRollup(rolling.tx, brand.id, added.id);
  await waitUntilBlocked(db, rolling, storing);
  await storing.commit();
  await waiting;
});

test('rollups of one retailer and rates that wait for each other in a row all come to an end', async () => {
  await using db = await freshDb();
  const { brand, retailer } = await aSeller(db, { reports: 'GBP', days: [day], currencies: ['USD'] });
  await using first = await openTransaction(db);
  await using second = await openTransaction(db);
  await using storing = await openTransaction(db);
  await lockRollup(first.tx, brand.id, retailer.id);
  const waiting = lockRollup(second.tx, brand.id, retailer.id);
  await waitUntilBlocked(db, second, first);
  const stored = store(storing.tx);
  await waitUntilBlocked(db, storing, second);
  await first.commit();
  await waiting;
  await second.commit();
  expect(await stored).toMatchObject({ added: 2 });
  await storing.commit();
});
