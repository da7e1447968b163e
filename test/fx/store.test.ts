/** Rates in the database: what is written, what is left alone, and which days are computed again. */
import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { dailySales } from '#sql/rollups/daily_sales.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { changeReportingCurrency } from '#sql/tenants/brands.ts';
import { freshDb } from '../support/db/db.ts';
import { openTransaction, waitUntilBlocked } from '../support/db/sessions.ts';
import { aSeller, daysOf, markedDays, type Rate, rollUp, store, versions } from '../support/providers/fx.ts';
import { aRetailer, type Shop } from '../support/rows/factory.ts';

// 2026-04-10 is a Friday, the 13th a Monday.
const friday = '2026-04-10';
const weekend = ['2026-04-10', '2026-04-11', '2026-04-12', '2026-04-13'];
const rates: Rate[] = [
  ['USD', '2026-04-09', '1.10'],
  ['GBP', '2026-04-09', '0.85'],
  ['USD', friday, '1.20'],
  ['GBP', friday, '0.86'],
  ['USD', '2026-04-13', '1.25'],
  ['GBP', '2026-04-13', '0.87'],
];

test('the list of tables that depend on rates is that of the schema', async () => {
  await using db = await freshDb();
  const found = await db.column(`
    select distinct attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.attname in ('fx_rate', 'fx_day') and c.relkind in ('r', 'p')
      and c.relnamespace = 'agg'::regnamespace order by 1`);
  expect(found).toEqual(rollups.flatMap(({ keepsRates, writes }) => (keepsRates ? [writes] : [])).sort());
});

test('a second store of the same writes nothing, however the rates are written', async () => {
  await using db = await freshDb();
  await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  expect(await store(db, rates)).toMatchObject({ added: 6, changed: 0, withdrawn: 0, unchanged: 0, days: 4 });
  const before = [await versions(db, 'app.fx_rates'), await versions(db, 'ops.marks')];
  const padded = rates.map(([currency, day, rate]): Rate => [currency, day, `0${rate}000`]);
  expect(await store(db, padded)).toEqual({
    ...{ added: 0, changed: 0, withdrawn: 0, unchanged: 6 },
    ...{ days: 0, reach: null, busy: [], doubtful: [] },
  });
  expect([await versions(db, 'app.fx_rates'), await versions(db, 'ops.marks')]).toEqual(before);
  expect(await db.column('select count(*) from ops.audit_log where action like $1', ['fx.%'])).toEqual([0]);
});

test('a late rate marks its own day and those that it is carried to, of brands with such rows only', async () => {
  await using db = await freshDb();
  const days = ['2026-04-09', ...weekend, '2026-04-14'];
  const seller = await aSeller(db, { reports: 'GBP', days, currencies: ['USD'] });
  const local = await aSeller(db, { reports: 'GBP', days, currencies: ['GBP', 'JPY'] });
  const french = await aSeller(db, { reports: 'EUR', days, currencies: ['GBP'] });
  await store(
    db,
    rates.filter(([, day]) => day !== friday),
  );
  for (const shop of [seller, local, french]) await rollUp(db, shop);
  const kept = await store(
    db,
    rates.filter(([, day]) => day === friday),
  );
  expect(kept).toMatchObject({ added: 2, days: 6 });
  const touched = ['2026-04-10', '2026-04-11', '2026-04-12'];
  expect(await markedDays(db, seller)).toEqual(touched);
  expect(await markedDays(db, french)).toEqual(touched);
  expect(await markedDays(db, local)).toEqual([]); // yen have had no rate before, and have none now
});

test('a rate of one side alone moves nothing: both sides are of one day', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  await store(
    db,
    rates.filter(([, day]) => day === '2026-04-09'),
  );
  await rollUp(db, seller);
  expect(await store(db, [['USD', friday, '1.2']])).toMatchObject({ added: 1, days: 0 });
  expect(await store(db, [['GBP', friday, '0.86']])).toMatchObject({ added: 1, days: 4 });
});

test('a corrected rate is audited, and marks just the days that used it', async () => {
  await using db = await freshDb();
  const days = ['2026-04-09', ...weekend];
  const seller = await aSeller(db, { reports: 'GBP', days, currencies: ['USD', 'GBP'] });
  await store(db, rates);
  await rollUp(db, seller);
  expect(await store(db, [['USD', friday, '1.21']])).toMatchObject({ changed: 1, unchanged: 0, days: 3 });
  expect(await markedDays(db, seller)).toEqual(['2026-04-10', '2026-04-11', '2026-04-12']);
  const [audit] = await db.rows("select * from ops.audit_log where action = 'fx.change'");
  expect(audit).toMatchObject({
    ...{ actor: 'test', target: 'USD 2026-04-10', brand_id: null },
    ...{ before: { rate: '1.2', source: 'test' }, after: { rate: '1.21', source: 'test' } },
  });
  const before = await versions(db, 'agg.daily_sales');
  await rollUp(db, seller);
  const after = await versions(db, 'agg.daily_sales');
  expect(after.filter((version) => !before.includes(version))).toHaveLength(3); // the rows in pounds stay
});

test('a withdrawn rate is audited, and its days fall back to the one before', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  await store(db, rates);
  await rollUp(db, seller);
  expect(await store(db, [['USD', friday, null]])).toMatchObject({ withdrawn: 1, days: 3 });
  expect(await db.rows("select before, after from ops.audit_log where action = 'fx.withdraw'")).toEqual([
    { before: { rate: '1.2', source: 'test' }, after: null },
  ]);
  await rollUp(db, seller);
  expect(await db.column('select distinct fx_day from agg.daily_sales order by 1')).toEqual([
    '2026-04-09',
    '2026-04-13',
  ]);
});

test('a whole day withdraws what it does not name; a part of a day does not', async () => {
  await using db = await freshDb();
  await store(db, rates);
  const part: Rate[] = [['GBP', friday, '0.86']];
  expect(await store(db, part)).toMatchObject({ withdrawn: 0, unchanged: 1 });
  expect(await store(db, part, true)).toMatchObject({ withdrawn: 0, unchanged: 1 }); // it names no dollar at all
  expect(await store(db, [...part, ...rates.slice(0, 2)], true)).toMatchObject({
    withdrawn: 1,
    unchanged: 3,
  });
  expect(await db.column('select currency from app.fx_rates where day = $1', [friday])).toEqual(['GBP']);
});

test('the first rate of a currency turns no_rate into stale_rate on all later days', async () => {
  await using db = await freshDb();
  const days = ['2022-02-01', '2022-03-01', '2022-03-11', '2022-03-12', '2024-06-01'];
  const seller = await aSeller(db, { reports: 'EUR', days, currencies: ['RUB'] });
  const causes = () => db.column('select fx_cause from agg.daily_sales order by day');
  expect(await causes()).toEqual(Array(5).fill('no_rate'));
  await store(db, [['RUB', '2022-03-01', '117.201']]);
  expect(await markedDays(db, seller)).toEqual(days.slice(1));
  await rollUp(db, seller);
  expect(await causes()).toEqual(['no_rate', null, null, 'stale_rate', 'stale_rate']);
  await store(db, [['RUB', '2022-03-01', null]]);
  expect(await markedDays(db, seller)).toEqual(days.slice(1));
  await rollUp(db, seller);
  expect(await causes()).toEqual(Array(5).fill('no_rate'));
});

test('a jump is kept and said; an old neighbour is not a measure of one', async () => {
  await using db = await freshDb();
  const kept = await store(db, [
    ['ISK', '2008-12-01', '200'],
    ['ISK', '2008-12-02', '241'],
    ['ISK', '2008-12-03', '200.9'],
    ['ISK', '2008-12-04', '240'],
    ['ISK', '2018-02-01', '125'],
  ]);
  expect(kept.doubtful.filter((what) => what.includes('jump'))).toEqual([
    'ISK 2008-12-02: few_currencies, jump',
  ]);
  const jumps = () => db.column("select day from app.fx_rates where 'jump' = any (doubts) order by 1");
  expect(await jumps()).toEqual(['2008-12-02']);
  await store(db, [['ISK', '2008-12-03', '100']]); // away and back again
  expect(await jumps()).toEqual(['2008-12-02', '2008-12-03', '2008-12-04']);
  await store(db, [['ISK', '2008-12-02', '210']]);
  await store(db, [['ISK', '2008-12-03', null]]);
  expect(await jumps()).toEqual([]);
});

test('a day with few currencies is kept and said; a few more rates of a whole day are none', async () => {
  await using db = await freshDb();
  const codes = Array.from({ length: 23 }, (_, at) => `A${String.fromCharCode(65 + at)}X`);
  const day = (count: number): Rate[] =>
    ['USD', 'GBP', ...codes.slice(0, count - 2)].map((currency) => [currency, friday, '1']);
  expect((await store(db, day(24))).doubtful).toHaveLength(24);
  expect((await store(db, day(25))).doubtful).toEqual([]);
  expect(await db.column('select count(*) from app.fx_rates where doubts <> $1', [[]])).toEqual([0]);
  expect((await store(db, [['USD', friday, '1.1']])).doubtful).toEqual([]);
  expect((await store(db, [['USD', friday, null]])).doubtful).toEqual([]);
  expect((await store(db, [['GBP', friday, '2']])).doubtful).toEqual(['GBP 2026-04-10: few_currencies']);
});

test('a store that dies leaves neither rates nor marks nor audit', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  {
    await using dying = await openTransaction(db);
    await storeRates(dying.tx, { days: daysOf(rates), source: 'test', now: new Date(), actor: 'test' });
  }
  expect(await db.column('select count(*) from app.fx_rates')).toEqual([0]);
  expect(await markedDays(db, seller)).toEqual([]);
  expect(await store(db, rates)).toMatchObject({ added: 6, days: 4 });
});

/** As a worker does it, in a transaction that has yet to commit. */
async function rollUpIn(tx: Tx, { brand, retailer }: Shop) {
  const marks = await claimMarks(tx, brand.id, retailer.id, { days: 10, objects: 10 });
  await runMarked(tx, [dailySales], { brandId: brand.id, retailerId: retailer.id, marks, now: new Date() });
  return [...new Set(marks.map(({ day }) => day))];
}

// The rollup has read no rate and not committed; the rates come, and find no row to mark. Only the note of the
// change says that the row must be looked at again.
test('rates that come while a rollup is in flight wait for nobody, and the next rollup notices', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  await aRetailer(db);
  const mark =
    "insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) select $1, $2, 'sales', unnest($3::date[]), now()";
  await db.query('delete from agg.daily_sales where brand_id = $1', [seller.brand.id]);
  await db.query(mark, [seller.brand.id, seller.retailer.id, weekend]);
  await using rolling = await openTransaction(db);
  await rollUpIn(rolling.tx, seller);
  expect(await store(db, rates)).toMatchObject({ added: 6, days: 0, busy: [seller.retailer.id] });
  await rolling.commit();
  expect(await db.column('select distinct fx_cause from agg.daily_sales')).toEqual(['no_rate']);
  expect(await markedDays(db, seller)).toEqual([]);
  await rollUp(db, seller);
  expect(await db.column('select count(*) from agg.daily_sales where fx_rate is null')).toEqual([0]);
  expect(await db.column('select count(*) from ops.marks')).toEqual([0]);
});

test('a rollup that comes while rates are being stored goes on, and the next one notices them', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  await using storing = await openTransaction(db);
  await storeRates(storing.tx, { days: daysOf(rates), source: 'test', now: new Date(), actor: 'test' });
  expect(await db.transaction((tx) => rollUpIn(tx, seller))).toEqual([]);
  await storing.commit();
  expect(await db.transaction((tx) => rollUpIn(tx, seller))).toEqual(weekend);
  expect(await db.transaction((tx) => rollUpIn(tx, seller))).toEqual([]);
});

test('a retailer that comes while rates are being stored, and is computed without them, notices them', async () => {
  await using db = await freshDb();
  await using storing = await openTransaction(db);
  await storeRates(storing.tx, { days: daysOf(rates), source: 'test', now: new Date(), actor: 'test' });
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  await storing.commit();
  expect(await markedDays(db, seller)).toEqual([]);
  expect(await db.transaction((tx) => rollUpIn(tx, seller))).toEqual(weekend);
  expect(await db.column('select count(*) from agg.daily_sales where fx_rate is null')).toEqual([0]);
});

test('two stores at a time follow each other', async () => {
  await using db = await freshDb();
  await using first = await openTransaction(db);
  await using second = await openTransaction(db);
  const given = { days: daysOf(rates), source: 'test', now: new Date(), actor: 'test' };
  await storeRates(first.tx, given);
  const waiting = storeRates(second.tx, given);
  await waitUntilBlocked(db, second, first);
  await first.commit();
  expect(await waiting).toMatchObject({ added: 0, unchanged: 6 });
});

test('a reporting currency that changes at the same time is not lost on either side', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, { reports: 'GBP', days: weekend, currencies: ['USD'] });
  await db.transaction((tx) =>
    changeReportingCurrency(tx, 'EUR', {
      brandId: seller.brand.id,
      tables: [],
      now: new Date(),
      actor: 'test',
    }),
  );
  // Nothing is marked by it here; the rates mark the rows as they stand, and the rollup takes the new currency.
  expect(await store(db, rates)).toMatchObject({ days: 4 });
  await rollUp(db, seller);
  expect(await db.column('select distinct reporting_currency from agg.daily_sales')).toEqual(['EUR']);
  expect(await db.column('select count(*) from agg.daily_sales where fx_rate is null')).toEqual([0]);
});
