/** Forecasts as the job makes them: from stored sales to the views, twice, later, and of two brands alike. */
import { expect, test } from 'vitest';
import { tablesOf } from '#sql/tenants/removal_tables.ts';
import { forecast } from '#tasks/forecast.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { giftwareYear, type Seller, sell, weeks } from '../support/forecast.ts';
import { randomFrom } from '../support/random.ts';
import { aBrand, aRetailer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const WEEK = [120, 100, 90, 110, 150, 0, 60];
const noisy = (count: number, seed = 1) => {
  const random = randomFrom(seed);
  return weeks(WEEK, count).map((amount) => Math.round(amount * (50 + 100 * random())) / 100);
};

async function aSeller(db: TestDb, timeZone = 'Europe/London'): Promise<Seller & { slug: string }> {
  const { id: brandId, slug } = await aBrand(db, { timeZone });
  const { id: retailerId } = await aRetailer(db, { brandId, slug: 'shop' });
  return { brandId, retailerId, slug };
}

const run = (db: TestDb, { brandId }: Seller, madeOn: string) => runTask(forecast, { brandId, madeOn }, db);
const days = (db: TestDb, { brandId }: Seller, more = 'true') =>
  db.rows(
    `select made_on, day, currency, predicted, lower, upper, confidence, method, is_latest from bi.revenue_forecast
     where brand_id = $1 and ${more} order by made_on, currency, day`,
    [brandId],
  );
const quality = (db: TestDb, { brandId }: Seller) =>
  db.rows(
    `select made_on, currency, state, cause, method, history_days, origins, error, naive_error, coverage,
            error_of_last_30_days, is_latest
     from bi.forecast_quality where brand_id = $1 order by made_on, currency`,
    [brandId],
  );

test('28 days are forecast from the day on, the same of two brands alike, and a second run writes nothing', async () => {
  await using db = await freshDb();
  // 2024-03-31 has 23 hours in London; a day is a day.
  const [one, other] = [await aSeller(db), await aSeller(db, 'Asia/Tokyo')];
  for (const seller of [one, other]) await sell(db, seller, { from: '2023-09-04', sales: noisy(30) });
  expect(await run(db, one, '2024-04-01')).toMatchObject({
    retailers: 1,
    forecast: 1,
    silent: 0,
    written: 29,
  });
  expect(await days(db, other)).toEqual([]);
  await run(db, other, '2024-04-01');

  const forecasts = await days(db, one);
  expect(forecasts).toHaveLength(28);
  expect(forecasts[0]).toMatchObject({
    ...{ made_on: '2024-04-01', day: '2024-04-01', currency: 'GBP', confidence: '0.8', is_latest: true },
    method: 'weekly_smoothing',
  });
  expect(forecasts[27]?.day).toBe('2024-04-28');
  expect(forecasts[5]).toMatchObject({ day: '2024-04-06', predicted: '0', lower: '0', upper: '0' });
  expect(await days(db, other)).toEqual(forecasts);
  const [found] = await quality(db, one);
  expect(found).toMatchObject({
    state: 'forecast',
    cause: null,
    history_days: 210,
    error_of_last_30_days: null,
  });
  expect(Number(found?.error)).toBeLessThan(Number(found?.naive_error));

  const stamps = () => db.rows('select ctid, xmin from agg.revenue_forecast order by brand_id, for_day');
  const before = await stamps();
  expect(await run(db, one, '2024-04-01')).toMatchObject({ written: 0, deleted: 0 });
  expect(await stamps()).toEqual(before);
});

test('sales that come later change no earlier forecast, and say how wrong it was', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  const sales = noisy(30);
  await sell(db, seller, { from: '2023-09-04', sales });
  await run(db, seller, '2024-04-01');
  const first = await days(db, seller);
  await sell(db, seller, { from: '2024-04-01', sales: [100, -20.5] });
  await run(db, seller, '2024-04-03');
  const kept = await days(db, seller, "made_on = '2024-04-01'");
  expect(kept).toEqual(first.map((day) => ({ ...day, is_latest: false })));
  const off = Math.abs(100 - Number(first[0]?.predicted)) + Math.abs(-20.5 - Number(first[1]?.predicted));
  const second = (await quality(db, seller))[1];
  expect(second).toMatchObject({ made_on: '2024-04-03', is_latest: true });
  expect(Number(second?.error_of_last_30_days)).toBeCloseTo(off / 120.5, 3);
  // Made anew from the same sales, it is the same.
  await db.query('delete from agg.revenue_forecast where brand_id = $1', [seller.brandId]);
  await run(db, seller, '2024-04-01');
  expect(await days(db, seller)).toEqual(kept);
});

test('what cannot be forecast is silent and says why, each currency by itself', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  const causes = async (madeOn: string) => {
    await run(db, seller, madeOn);
    const rows = await quality(db, seller);
    return rows.filter(({ made_on }) => made_on === madeOn).map(({ currency, cause }) => [currency, cause]);
  };
  expect(await causes('2024-01-01')).toEqual([['GBP', 'no_sales']]);
  await sell(db, seller, { from: '2024-01-01', sales: weeks(WEEK, 20), currency: 'EUR' });
  await sell(db, seller, { from: '2024-01-01', sales: noisy(20), currency: 'JPY' });
  await sell(db, seller, { from: '2024-04-29', sales: noisy(3), currency: 'USD' });
  await sell(db, seller, { from: '2024-01-01', sales: noisy(2), currency: 'CHF' });
  // A week that repeats itself is forecast best by repeating it.
  expect(await causes('2024-05-20')).toEqual([
    ['CHF', 'dormant'],
    ['EUR', 'naive_is_better'],
    ['JPY', null],
    ['USD', 'short_history'],
  ]);
  const forecasts = await days(db, seller);
  expect(new Set(forecasts.map(({ currency }) => currency))).toEqual(new Set(['JPY']));
  expect(forecasts.every(({ predicted }) => Number.isInteger(Number(predicted)))).toBe(true); // it has no minor unit
});

test('a forecast is kept for 400 days, and a day that is not over is not known', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  await sell(db, seller, { from: '2022-01-03', sales: noisy(104) });
  for (const madeOn of ['2022-11-26', '2022-11-27', '2024-01-01']) await run(db, seller, madeOn);
  const kept = async () => [...new Set((await days(db, seller)).map(({ made_on }) => made_on))];
  expect(await kept()).toEqual(['2022-11-27', '2024-01-01']);
  // Made for a day to come, it is one of the present day: of 2 January in London.
  await runTask(forecast, { brandId: seller.brandId, madeOn: '2024-06-01', now: '2024-01-02T00:30:00Z' }, db);
  expect(await kept()).toEqual(['2024-01-01', '2024-01-02']);
});

test('of a retailer that is being removed nothing is forecast, and its forecasts go with it', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  await sell(db, seller, { from: '2023-09-04', sales: noisy(30) });
  await db.query('update app.retailers set removing_at = now() where brand_id = $1', [seller.brandId]);
  expect(await run(db, seller, '2024-04-01')).toMatchObject({ retailers: 0, written: 0 });
  for (const kind of ['retailer', 'brand'] as const)
    expect(await tablesOf(db, kind)).toEqual(
      expect.arrayContaining(['agg.forecast_quality', 'agg.revenue_forecast']),
    );
});

test('the command forecasts, shows what it found, and refuses a day to come', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  const cli = (words: string) =>
    nightshift([...words.split(' '), '--brand', seller.slug, '--json'], { env: { DATABASE_URL: db.url } });
  expect((await cli('forecast show')).stderr).toContain('forecast run');
  const [uk = []] = giftwareYear().values();
  await sell(db, seller, { from: '2010-12-01', sales: uk });
  const ran = await cli('forecast run --now 2011-12-10T06:00:00Z --wait');
  expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([
    0,
    { state: 'succeeded', forecast: 1, written: 29 },
  ]);
  const [shown] = (await cli('forecast show')).stdout.trim().split('\n');
  expect(JSON.parse(shown ?? '')).toMatchObject({
    retailer: 'shop',
    made_on: '2011-12-10',
    state: 'forecast',
  });
  expect((await cli('forecast show --retailer shop')).stdout.trim().split('\n')).toHaveLength(28);
  const refused = await cli('forecast run --made-on 2011-12-11 --now 2011-12-10T06:00:00Z');
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--made-on 2011-12-10')]);
});
