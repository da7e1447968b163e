/**
 * Forecasts the net sales of each retailer of a brand for the 28 days from a day on, from its sales of the days before.
 * The night queues it once sales are complete. The same sales make the same rows, so a run that comes twice, or after a
 * crash, writes nothing more.
 */
import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { lockRollup } from '#sql/dirty/marks.ts';
import { forecastQuality } from '#sql/rollups/forecast/forecast_quality.ts';
import { revenueForecast } from '#sql/rollups/forecast/revenue_forecast.ts';
import { readSalesHistory } from '#sql/rollups/forecast/sales_history.ts';
import { mergeGiven } from '#sql/rollups/given.ts';
import { type ForecastRows, forecastRows, silent } from './forecast/rows.ts';
import { defineTask } from './task.ts';

/** So long a forecast is kept beside what came. */
const KEPT_DAYS = 400;
/** Days on which forecasts were made that one run deletes of a retailer; the next run goes on. */
const EXPIRED_MAX = 60;

export const forecast = defineTask({
  name: 'forecast',
  payload: z.strictObject({
    brandId: z.uuid(),
    /** All of the brand, if not said. */
    retailerId: z.uuid().optional(),
    /** The day after the last complete one; the present day of the brand, if not said, and none later. */
    madeOn: z.iso.date().optional(),
    now: z.iso.datetime({ offset: true }).optional(),
  }),
  lane: ({ brandId }) => `forecast:${brandId}`,
  key: ({ brandId, retailerId, madeOn }) => `${brandId}:${retailerId ?? 'all'}:${madeOn ?? 'now'}`,
  attempts: 8,
  timeoutSeconds: 3_600,
  async run({ brandId, retailerId, madeOn }, { db, signal, now, progress }) {
    const instant = now();
    const { rows: targets } = await db.query<Target>(TARGETS, [
      brandId,
      retailerId ?? null,
      madeOn ?? null,
      instant,
    ]);
    const tally = { retailers: 0, forecast: 0, silent: 0, written: 0, deleted: 0 };
    for (const target of targets) {
      signal.throwIfAborted();
      const made = await db.transaction((tx) => forecastRetailer(tx, { ...target, brandId, now: instant }));
      if (made === undefined) continue;
      tally.retailers += 1;
      tally.forecast += made.forecast;
      tally.silent += made.silent;
      tally.written += made.written;
      tally.deleted += made.deleted;
      progress({ retailers: tally.retailers });
    }
    if (tally.written + tally.deleted > 0) await db.transaction(analyzeChanged);
    return tally;
  },
});

type Target = { retailerId: string; madeOn: string; reportingCurrency: string };

const TARGETS = `
  select r.id as "retailerId", b.reporting_currency as "reportingCurrency",
         least($3::date, ($4::timestamptz at time zone b.time_zone)::date) as "madeOn"
  from app.brands b
  join app.retailers r on r.brand_id = b.id and r.removing_at is null and r.id = coalesce($2::uuid, r.id)
  where b.id = $1 and b.removing_at is null
  order by r.id`;

/** Under the lock of its rollups, so that it sees all or nothing of one; undefined if it is gone, or going. */
async function forecastRetailer(
  tx: Tx,
  { brandId, retailerId, madeOn, reportingCurrency, now }: Target & { brandId: string; now: Date },
) {
  await lockRollup(tx, brandId, retailerId);
  const { rowCount } = await tx.query(
    'select from app.retailers where brand_id = $1 and id = $2 and removing_at is null for key share',
    [brandId, retailerId],
  );
  if (rowCount !== 1) return undefined;
  const histories = await readSalesHistory(tx, { brandId, retailerId, before: madeOn });
  const found = histories.map(forecastRows);
  if (found.length === 0) found.push(silent('no_sales', reportingCurrency, 0));
  return { ...(await store(tx, { brandId, retailerId, madeOn, now }, found)), ...counted(found) };
}

type Place = { brandId: string; retailerId: string; madeOn: string; now: Date };

/** What has expired is given without rows, so the merge deletes it. */
async function store(tx: Tx, { madeOn, ...place }: Place, found: readonly ForecastRows[]) {
  const days = [madeOn, ...(await expiredDays(tx, { madeOn, ...place }))];
  const at = (rows: readonly object[]) => rows.map((row) => ({ ...row, day: madeOn }));
  const forecasts = at(found.flatMap((one) => one.days));
  const first = await mergeGiven(tx, revenueForecast, { ...place, days, rows: forecasts });
  const qualities = at(found.map(({ quality }) => quality));
  const second = await mergeGiven(tx, forecastQuality, { ...place, days, rows: qualities });
  return { written: first.written + second.written, deleted: first.deleted + second.deleted };
}

async function expiredDays(tx: Tx, { brandId, retailerId, madeOn }: Place): Promise<string[]> {
  const { rows } = await tx.query<{ day: string }>(
    `select distinct day from agg.forecast_quality
     where brand_id = $1 and retailer_id = $2 and day < $3::date - ${KEPT_DAYS}
     order by day limit ${EXPIRED_MAX}`,
    [brandId, retailerId, madeOn],
  );
  return rows.map(({ day }) => day);
}

function counted(found: readonly ForecastRows[]) {
  const silentOnes = found.filter(({ quality }) => quality.state === 'silent').length;
  return { forecast: found.length - silentOnes, silent: silentOnes };
}
