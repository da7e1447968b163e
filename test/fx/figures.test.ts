/** What the real rates make of figures: holidays, currencies that ended, and sums that say what they lack. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds, inForm, runs } from '../support/property.ts';
import { aSeller, historyCells, type Rate, realRates, rollUp, store } from '../support/providers/fx.ts';

const sales = (db: TestDb) =>
  db.rows(`select day, currency, fx_rate, fx_day, fx_cause, gross_sales_reporting
           from bi.daily_sales order by brand, day, currency`);
const consolidated = (db: TestDb) =>
  db.rows(`select day, reporting_currency, gross_sales_reporting, net_sales_reporting, total_sales_reporting,
                  is_complete, unconverted_currencies, unconverted_rows, oldest_fx_day
           from bi.daily_sales_consolidated order by reporting_currency, day`);

test('a Sunday has the rate of Friday', async () => {
  await using db = await freshDb();
  await store(db, await realRates('2026-04-01', '2026-04-13', ['GBP', 'USD']));
  await aSeller(db, { reports: 'USD', days: ['2026-04-12', '2026-04-13'], currencies: ['GBP'] });
  const cells = historyCells();
  const cross = (day: string) => [cells.get(day)?.get('USD'), cells.get(day)?.get('GBP')];
  expect(cross('2026-04-10')).toEqual(['1.1711', '0.87105']);
  expect(cross('2026-04-13')).toEqual(['1.1684', '0.87058']);
  expect(await sales(db)).toMatchObject([
    { day: '2026-04-12', fx_day: '2026-04-10', fx_rate: '1.344469318638', gross_sales_reporting: '13.44' },
    { day: '2026-04-13', fx_day: '2026-04-13', fx_rate: '1.342093776563', gross_sales_reporting: '13.42' },
  ]);
});

test('over Easter a rate is carried for five days, and the Tuesday has its own', async () => {
  await using db = await freshDb();
  await store(db, await realRates('2025-04-01', '2025-04-30', ['USD']));
  const days = ['17', '18', '19', '20', '21', '22'].map((day) => `2025-04-${day}`);
  await aSeller(db, { reports: 'EUR', days, currencies: ['USD'] });
  expect(await db.column('select fx_day from bi.daily_sales order by day')).toEqual([
    ...Array(5).fill('2025-04-17'),
    '2025-04-22',
  ]);
});

test.each([
  ['BGN', '2025-12-31', '2026-01-10', '2026-01-11', '2026-03-31'],
  ['RUB', '2022-03-01', '2022-03-11', '2022-03-12', '2022-06-30'],
])('after its last day %s is carried for ten days, then it is null, said and flagged', async (...given) => {
  const [currency, last, tenth, eleventh, until] = given;
  await using db = await freshDb();
  const rates = await realRates(`${Number(last.slice(0, 4)) - 1}-12-01`, until, [currency, 'GBP']);
  await store(db, rates);
  await aSeller(db, { reports: 'EUR', days: [last, tenth, eleventh], currencies: [currency, 'GBP', 'EUR'] });
  const rows = (await sales(db)).filter((row) => row.currency === currency);
  expect(rows.map(({ fx_day, fx_cause }) => [fx_day, fx_cause])).toEqual([
    [last, null],
    [last, null],
    [null, 'stale_rate'],
  ]);
  expect(rows.map((row) => row.gross_sales_reporting === null)).toEqual([false, false, true]);
  const days = await consolidated(db);
  expect(days).toMatchObject([
    { day: last, is_complete: true, unconverted_currencies: [], unconverted_rows: 0 },
    { day: tenth, is_complete: true },
    { day: eleventh, is_complete: false, unconverted_currencies: [currency], unconverted_rows: 1 },
  ]);
  const others = await db.column(
    'select sum(gross_sales_reporting) from bi.daily_sales where day = $1 and currency <> $2',
    [eleventh, currency],
  );
  expect(days.at(-1)?.gross_sales_reporting).toBe(others[0]);
});

test('two brands with one sale and two reporting currencies get two figures', async () => {
  await using db = await freshDb();
  await store(db, await realRates('2026-04-13', '2026-04-13', ['GBP', 'USD', 'JPY']));
  for (const reports of ['GBP', 'JPY'])
    await aSeller(db, { reports, days: ['2026-04-13'], currencies: ['USD', 'EUR', 'AED'] });
  // 10 USD at 0.87058 / 1.1684 and 10 EUR at 0.87058; at 186.75 / 1.1684 and 186.75. Dirhams have no rate.
  const flagged = { is_complete: false, unconverted_currencies: ['AED'], unconverted_rows: 1 };
  expect(await consolidated(db)).toEqual([
    {
      ...{ day: '2026-04-13', reporting_currency: 'GBP', ...flagged, oldest_fx_day: '2026-04-13' },
      ...{ gross_sales_reporting: '16.16', net_sales_reporting: '16.16', total_sales_reporting: '16.16' },
    },
    {
      ...{ day: '2026-04-13', reporting_currency: 'JPY', ...flagged, oldest_fx_day: '2026-04-13' },
      ...{ gross_sales_reporting: '3466', net_sales_reporting: '3466', total_sales_reporting: '3466' },
    },
  ]);
});

test('a day of which nothing can be converted is there, without a sum', async () => {
  await using db = await freshDb();
  await aSeller(db, { reports: 'GBP', days: ['2026-04-13'], currencies: ['AED', 'TWD'] });
  expect(await consolidated(db)).toMatchObject([
    {
      gross_sales_reporting: null,
      is_complete: false,
      unconverted_currencies: ['AED', 'TWD'],
      unconverted_rows: 2,
    },
  ]);
});

test('figures are the same whether rates come before the sales, after them, or piece by piece', async () => {
  const days = [
    '2025-12-30',
    '2025-12-31',
    '2026-01-01',
    '2026-01-05',
    '2026-01-09',
    '2026-01-12',
    '2026-02-01',
  ];
  const currencies = ['USD', 'BGN', 'GBP', 'AED'];
  const rates = await realRates('2025-12-15', '2026-01-30', currencies);
  const seller = { reports: 'GBP', days, currencies };
  const figures = (db: TestDb) => sales(db);
  await using before = await freshDb();
  await store(before, rates);
  await aSeller(before, seller);
  const expected = await figures(before);
  expect(new Set(expected.map(({ fx_cause }) => fx_cause))).toEqual(new Set([null, 'stale_rate', 'no_rate']));
  await using db = await freshDb();
  const shop = await aSeller(db, seller);
  const step = fc.record({
    at: fc.nat(rates.length - 1),
    length: fc.nat(40),
    how: fc.constantFrom('right', 'wrong', 'gone'),
  });
  await assertHolds(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (steps, rollsBetween) => {
        for (const { at, length, how } of steps) {
          const some = rates.slice(at, at + length + 1);
          const wrong = ([currency, day]: Rate): Rate => [currency, day, how === 'gone' ? null : '7'];
          await store(db, how === 'right' ? some : some.map(wrong));
          if (rollsBetween) await rollUp(db, shop);
        }
        await store(db, rates);
        await rollUp(db, shop);
        expect(await figures(db)).toEqual(expected);
      },
    ),
    15,
  );
});

/** Half away from zero, of numerator / denominator, in units of 10^-places. */
function divided(numerator: bigint, denominator: bigint): bigint {
  const sign = numerator < 0n ? -1n : 1n;
  const doubled = (2n * numerator * sign) / denominator;
  return sign * ((doubled + 1n) / 2n);
}

function scaled(text: string): { digits: bigint; places: number } {
  const [whole = '', fraction = ''] = text.split('.');
  return { digits: BigInt(whole + fraction), places: fraction.length };
}

test('PostgreSQL and whole numbers agree on a thousand conversions at real rates', async () => {
  await using db = await freshDb();
  const cells = historyCells();
  const days = [...cells.keys()].filter((day) => day >= inForm('2025-01-01', '2019-01-01')).sort();
  const all = days.flatMap((day) =>
    [...(cells.get(day) ?? [])].map(([currency, rate]): Rate => [currency, day, rate]),
  );
  await store(db, all);
  const places: Record<string, number> = { JPY: 0, KRW: 0, ISK: 0 };
  const ten = (power: number) => 10n ** BigInt(power);
  const given = fc.sample(
    fc.record({
      day: fc.constantFrom(...days),
      from: fc.nat(),
      to: fc.nat(),
      cents: fc.bigInt(-(10n ** 12n), 10n ** 12n),
    }),
    runs(1_000),
  );
  const conversions = given.map(({ day, from, to, cents }) => {
    const rates: [string, string][] = [...(cells.get(day) ?? []), ['EUR', '1']];
    const [theirs, wanted] = [rates[from % rates.length], rates[to % rates.length]] as [
      [string, string],
      [string, string],
    ];
    const [low, high] = [scaled(theirs[1]), scaled(wanted[1])];
    const rate = divided(high.digits * ten(12 + low.places), low.digits * ten(high.places));
    const digits = places[wanted[0]] ?? 2;
    const same = theirs[0] === wanted[0];
    const amount = divided(cents * (same ? ten(12) : rate), ten(14 - digits));
    return { day, from: theirs[0], to: wanted[0], cents: String(cents), expected: String(amount), digits };
  });
  const rows = await db.rows(
    `select c.*, fact.round_to_currency(c.cents / 100 * x.fx_rate, c."to") * 10::numeric ^ c.digits = c.expected as agrees
     from jsonb_to_recordset($1::jsonb)
       as c (day date, "from" text, "to" text, cents numeric, expected numeric, digits integer)
     cross join lateral fact.exchange_rate(c."from", c."to", c.day) x`,
    [JSON.stringify(conversions)],
  );
  expect(rows).toHaveLength(given.length);
  expect(rows.filter(({ agrees }) => agrees !== true)).toEqual([]);
});
