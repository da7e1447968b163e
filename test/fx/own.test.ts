/** Rates of one's own beside those of the ECB: neither takes the place of the other. */
import { expect, test } from 'vitest';
import { publicationDays } from '#connectors/ecb/calendar.ts';
import { readRates } from '#connectors/ecb/read_rates.ts';
import { daysWithRates } from '#sql/fx/feeds.ts';
import { fxRates, keepRates } from '#tasks/fx/fx_rates.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { stripeDir } from '../support/providers/stripe.ts';
import { runTask } from '../support/run.ts';

/** As `fx import` does with a table of dirhams, which the ECB does not publish. */
async function importDirhams(db: TestDb, days: readonly string[]) {
  const csv = ['Date,AED,', ...days.map((day) => `${day},3.25,`)].join('\n');
  const published = await readRates(Buffer.from(csv), { source: 'own.csv', today: '2026-04-13' });
  await db.transaction((tx) =>
    keepRates(tx, published, { source: 'ecb, imported', now: new Date(), actor: 'test' }),
  );
}

async function syncAt(db: TestDb, now: string) {
  await using data = await stripeDir({}, { now });
  await using sandbox = await startSandbox({ data: data.dir });
  return await runTask(fxRates, { now }, db, { services: { ecbUrl: `${sandbox.url}/ecb/stats/eurofxref` } });
}

const dirhams = (db: TestDb) => db.column("select day from app.fx_rates where currency = 'AED' order by 1");

test('what the ECB never publishes is not its to withdraw', async () => {
  await using db = await freshDb();
  await syncAt(db, '2001-06-27T18:00:00Z');
  const days = ['2001-06-26', '2001-06-27'];
  await importDirhams(db, days);
  expect(await syncAt(db, '2001-06-28T18:00:00Z')).toMatchObject({
    feeds: 'eurofxref-hist-90d.xml',
    withdrawn: 0,
  });
  expect(await dirhams(db)).toEqual(days);
});

test('days that have rates of one’s own alone are still missing', async () => {
  await using db = await freshDb();
  await syncAt(db, '2000-12-15T18:00:00Z');
  const days = publicationDays('2000-12-18', '2001-06-28');
  await importDirhams(db, days);
  expect(await syncAt(db, '2001-06-28T18:00:00Z')).toMatchObject({ feeds: 'eurofxref-hist.zip' });
  const stored = await daysWithRates(db);
  expect(days.filter((day) => !stored.has(day))).toEqual([]);
  const dollars = "select count(*) from app.fx_rates where currency = 'USD' and day = any ($1::date[])";
  expect(await db.column(dollars, [days])).toEqual([days.length]);
  expect(await dirhams(db)).toEqual(days);
});
