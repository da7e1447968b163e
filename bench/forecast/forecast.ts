/**
 * Forecasts of the built-in year, each retailer beside the last week repeated; then a night of 200 retailers, each with
 * ten years of sales, through the job.
 */

import { outlookOf } from '../../tasks/forecast/outlook.ts';
import { forecast } from '../../tasks/forecast.ts';
import { giftwareYear, sell } from '../../test/support/forecast.ts';
import { randomFrom } from '../../test/support/random.ts';
import { runTask } from '../../test/support/run.ts';
import type { Figure } from '../support/bench.ts';
import { median, timed } from '../support/measure.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

const RETAILERS = 200;
const WEEKS = 520;
const FROM = '2016-01-04';
const MADE_ON = '2025-12-22';
const OFTEN = 20;
const SHAPE = [120, 100, 90, 110, 150, 0, 60];

export async function benchForecast(server: BenchServer): Promise<Figure[]> {
  const year = [...giftwareYear()].flatMap(([retailer, sales]) => ofRetailer(retailer, sales));
  const db = await server.freshDatabase();
  const brandId = await aBrandOf(db);
  const night = () => timed(() => runTask(forecast, { brandId, madeOn: MADE_ON }, db));
  const first = await night();
  const again = await night();
  return [
    ...year,
    {
      name: `estimated from three years, median`,
      value: medianMs(history(1).slice(-1_092)),
      unit: 'ms',
      bar: { below: 10 },
    },
    {
      name: `night of ${RETAILERS} retailers with ten years`,
      value: first / 1_000,
      unit: 's',
      bar: { below: 30 },
    },
    { name: 'per retailer', value: first / RETAILERS, unit: 'ms' },
    { name: 'the same again, nothing written', value: again / 1_000, unit: 's' },
  ];
}

function ofRetailer(retailer: string, sales: readonly number[]): Figure[] {
  const { error, naiveError, coverage } = outlookOf(sales);
  return [
    {
      name: `${retailer}: error`,
      value: error ?? Number.NaN,
      unit: 'of sales',
      bar: { below: naiveError ?? 0 },
    },
    { name: `${retailer}: error of the last week`, value: naiveError ?? Number.NaN, unit: 'of sales' },
    { name: `${retailer}: held by the bounds`, value: coverage, unit: 'of days', bar: { atLeast: 0.75 } },
  ];
}

function medianMs(sales: readonly number[]): number {
  return median(
    Array.from({ length: OFTEN }, () => {
      const from = performance.now();
      outlookOf(sales);
      return performance.now() - from;
    }),
  );
}

/** A week with noise, twice as much before the end of each year. */
function history(seed: number): number[] {
  const random = randomFrom(seed);
  return Array.from({ length: WEEKS * 7 }, (_, day) => {
    const season = day % 364 > 330 ? 2 : 1;
    return Math.round((SHAPE[day % 7] ?? 0) * season * (50 + 100 * random())) / 100;
  });
}

async function aBrandOf(db: BenchDb): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `insert into app.brands (slug, name, time_zone, reporting_currency)
     values ('bench', 'Bench', 'Europe/London', 'GBP') returning id`,
  );
  const brandId = rows[0]?.id ?? '';
  const { rows: retailers } = await db.query<{ id: string }>(
    `insert into app.retailers (brand_id, slug, name)
     select $1, 'r' || n, 'r' || n from generate_series(1, ${RETAILERS}) n returning id`,
    [brandId],
  );
  for (const [number, { id: retailerId }] of retailers.entries())
    await sell(db, { brandId, retailerId }, { from: FROM, sales: history(number) });
  await db.query('vacuum analyze agg.daily_sales');
  return brandId;
}
