import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { fxRates } from '#tasks/fx/fx_rates.ts';
import { rollup } from '#tasks/rollup.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb } from '../support/db/db.ts';
import { stripeDir } from '../support/providers/stripe.ts';
import { aBrand, aConnection, aRetailer, testKeyring } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const NOW = '2026-04-13T18:00:00Z';

const HISTORY = new URL('../../sandbox/data/ecb-eurofxref-hist.csv.gz', import.meta.url);

/** The ECB's own rates since December 2025, which is all that is asked for here. */
async function rates(): Promise<string> {
  const lines = gunzipSync(await readFile(HISTORY))
    .toString('utf8')
    .split('\n');
  return lines.filter((line, index) => index === 0 || line >= '2025-12').join('\n');
}

/** One order of 100.00 at noon of each day. */
const orders = (...days: string[]) =>
  days.map((day, index) => ({
    ...{ id: index + 1, processedAt: `2026-${day}T12:00:00Z` },
    lineItems: [{ id: 100 + index, originalUnitPriceSet: '100.00' }],
  }));

const SHOPS = { dollars: 'USD', leva: 'BGN', dirhams: 'AED' };
const FILES = {
  // A Sunday; Easter, whose Friday and Monday have no rates either; the Tuesday after it.
  'shopify/dollars/orders.ndjson': orders('01-11', '04-02', '04-03', '04-04', '04-05', '04-06', '04-07'),
  // Bulgaria has the euro since the year began: the rate of 31 December serves for ten days.
  'shopify/leva/orders.ndjson': orders('01-05', '01-10', '01-11'),
  'shopify/dirhams/orders.ndjson': orders('04-05'),
};

test('dollars, ended leva and dirhams become pounds at the rates of the ECB, or say why they do not', async () => {
  await using db = await freshDb();
  const zone = 'Europe/London';
  const shops = Object.fromEntries(
    Object.entries(SHOPS).map(([shop, currency]) => [shop, { token: `shpat_${shop}`, currency, zone }]),
  );
  await using data = await stripeDir(
    { ...FILES, 'ecb/eurofxref-hist.csv': await rates() },
    { now: NOW, shops },
  );
  await using sandbox = await startSandbox({ data: data.dir });
  const { id: brandId } = await aBrand(db, { reportingCurrency: 'GBP' });
  const { id: retailerId } = await aRetailer(db, { brandId });
  await runTask(fxRates, { now: NOW }, db, { services: { ecbUrl: `${sandbox.url}/ecb/stats/eurofxref` } });
  for (const shop of Object.keys(SHOPS)) {
    const address = { account: `${shop}.myshopify.com`, baseUrl: `${sandbox.url}/shopify/${shop}` };
    const { id: connectionId } = await aConnection(db, {
      brandId,
      retailerId,
      secret: `shpat_${shop}`,
      ...address,
    });
    const which = { brandId, connectionId, stream: 'shopify.orders', now: NOW };
    await runTask(syncStream, which, db, { services: testKeyring });
  }
  await runTask(rollup, { brandId, retailerId, now: NOW }, db);

  const rows = await db.rows(`
    select to_char(day, 'MM-DD') as day, currency, round(fx_rate, 9)::text as rate, to_char(fx_day, 'YYYY-MM-DD') as fx_day,
           fx_cause, gross_sales_reporting::text as gross
    from bi.daily_sales order by day, currency`);
  const thursday = {
    currency: 'USD',
    rate: '0.757075922',
    fx_day: '2026-04-02',
    fx_cause: null,
    gross: '75.71',
  };
  const lev = { currency: 'BGN', rate: '0.446160139', fx_day: '2025-12-31', fx_cause: null, gross: '44.62' };
  const none = { rate: null, fx_day: null, gross: null };
  expect(rows).toEqual([
    { day: '01-05', ...lev }, // 0.8726 / 1.9558
    { day: '01-10', ...lev },
    { day: '01-11', ...none, currency: 'BGN', fx_cause: 'stale_rate' },
    // 0.8677 / 1.1642, of Friday
    {
      day: '01-11',
      currency: 'USD',
      rate: '0.745318674',
      fx_day: '2026-01-09',
      fx_cause: null,
      gross: '74.53',
    },
    { day: '04-02', ...thursday }, // 0.87253 / 1.1525
    { day: '04-03', ...thursday },
    { day: '04-04', ...thursday },
    { day: '04-05', ...none, currency: 'AED', fx_cause: 'no_rate' },
    { day: '04-05', ...thursday },
    { day: '04-06', ...thursday },
    // 0.87258 / 1.1557
    {
      day: '04-07',
      currency: 'USD',
      rate: '0.755022930',
      fx_day: '2026-04-07',
      fx_cause: null,
      gross: '75.50',
    },
  ]);
  const consolidated = await db.rows(`
    select to_char(day, 'MM-DD') as day, orders::int as orders, gross_sales_reporting::text as gross, is_complete,
           unconverted_currencies as missing
    from bi.daily_sales_consolidated where day in ('2026-01-10', '2026-01-11', '2026-04-05') order by day`);
  expect(consolidated).toEqual([
    { day: '01-10', orders: 1, gross: '44.62', is_complete: true, missing: [] },
    { day: '01-11', orders: 2, gross: '74.53', is_complete: false, missing: ['BGN'] },
    { day: '04-05', orders: 2, gross: '75.71', is_complete: false, missing: ['AED'] },
  ]);
});
