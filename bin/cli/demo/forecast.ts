/** What the demo expects of the four weeks behind its year, and how wrong it was about the last four of it. */
import type { Db } from '#sql/db/pool.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { forecast } from '#tasks/forecast.ts';
import type { Followed } from '../shared/follow.ts';
import { grouped } from '../ui/format.ts';
import { bold, green, red } from '../ui/output.ts';
import { percent, table } from './table.ts';

export type ForecastOfRetailer = {
  retailer: string;
  made_on: string;
  cause: string | null;
  /** Of 28 days. */
  expected: string | null;
  error: string | null;
  naive_error: string | null;
  coverage: string | null;
  error_of_last_30_days: string | null;
};

/** As it would have been made four weeks ago, then as of now: so what came can be held against it. */
export async function enqueueForecasts(
  db: Db,
  { brandId, now }: { brandId: string; now: string | undefined },
): Promise<Followed[]> {
  const { rows } = await db.query<{ made_on: string }>(
    `select (coalesce($2::timestamptz, now()) at time zone b.time_zone)::date - ago as made_on
     from app.brands b cross join unnest('{28,0}'::int[]) ago where b.id = $1 order by ago desc`,
    [brandId, now ?? null],
  );
  const jobs: Followed[] = [];
  for (const { made_on: madeOn } of rows) {
    const payload = { brandId, madeOn, now };
    const id = await db.transaction((tx) => enqueue(tx, forecast, payload, { keyMode: 'replace' }));
    jobs.push({ id, label: `forecast as of ${madeOn}` });
  }
  return jobs;
}

export async function readForecast(db: Db, brandId: string): Promise<ForecastOfRetailer[]> {
  const { rows } = await db.query<ForecastOfRetailer>(FORECAST, [brandId]);
  return rows;
}

/** What is wrong with it: nothing is forecast of retailers that sell. */
export function wrongForecast(forecasts: readonly ForecastOfRetailer[]): string[] {
  return forecasts
    .filter(({ cause }) => cause !== null && cause !== 'no_sales')
    .map(({ retailer, cause }) => `sales of ${retailer} are not forecast: ${cause}`);
}

const COLUMNS: Record<string, (row: ForecastOfRetailer) => string> = {
  'expected, 28 days': ({ expected }) => (expected === null ? '' : grouped(expected)),
  error: ({ error }) => percent(error),
  'last week again': ({ naive_error }) => percent(naive_error),
  'held by 80 %': ({ coverage }) => percent(coverage),
  'last 30 days': ({ error_of_last_30_days }) => percent(error_of_last_30_days),
};

export function forecastLines(forecasts: readonly ForecastOfRetailer[], currency: string): string[] {
  const made = forecasts.filter(({ cause }) => cause === null);
  const rows = made.map((row) => [row.retailer, ...Object.values(COLUMNS).map((cell) => cell(row))]);
  const verdict = wrongForecast(forecasts);
  return [
    '',
    bold(`Net sales that are expected from ${forecasts[0]?.made_on ?? 'now'} on, ${currency}; errors by day`),
    ...table([['', ...Object.keys(COLUMNS)], ...rows]),
    `  ${verdict.length === 0 ? green('each nearer than the same weekday of last week, over half a year') : red(verdict.join('; '))}`,
  ];
}

const FORECAST = `
  select q.retailer, q.made_on, q.cause, f.expected::text, q.error::text, q.naive_error::text, q.coverage::text,
         q.error_of_last_30_days::text
  from bi.forecast_quality q
  cross join lateral (
    select round(sum(f.predicted)) as expected from bi.revenue_forecast f
    where f.brand_id = q.brand_id and f.retailer_id = q.retailer_id and f.made_on = q.made_on and f.currency = q.currency
  ) f
  where q.brand_id = $1 and q.is_latest
  order by f.expected desc nulls last, q.retailer`;
