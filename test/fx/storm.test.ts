/** Rates and rollups at the same time, as they happen to meet; and a process that is killed among rates. */
import { expect, test } from 'vitest';
import { enqueue } from '#tasks/enqueue.ts';
import { fxBrand } from '#tasks/fx/fx_brand.ts';
import { fxFanOut } from '#tasks/fx/fx_fan_out.ts';
import { keepRates } from '#tasks/fx/fx_rates.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Task } from '#tasks/task.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';
import { inForm } from '../support/property.ts';
import { aSeller, daysOf, passOn, type Rate, realRates, rollUp } from '../support/providers/fx.ts';
import { stripeDir } from '../support/providers/stripe.ts';
import { aWorker } from '../support/queue.ts';

const days = ['2026-03-27', '2026-03-30', '2026-04-02', '2026-04-05', '2026-04-07', '2026-04-13'];
const currencies = ['USD', 'JPY', 'AED'];
const ROUNDS = inForm(3, 8);

/** Rows whose rate is not the one that there is. */
const wrongRows = (db: TestDb) =>
  db.rows(`select a.day, a.currency, a.fx_rate, x.fx_rate as is from agg.daily_sales a
           cross join lateral fact.exchange_rate(a.currency, a.reporting_currency, a.day) x
           where (a.fx_rate, a.fx_day, a.fx_cause) is distinct from (x.fx_rate, x.fx_day, x.fx_cause)`);

test('however rates and rollups meet, the figures end at the rates that there are', async () => {
  await using db = await freshDb();
  const shops = [
    await aSeller(db, { reports: 'GBP', days, currencies }),
    await aSeller(db, { reports: 'EUR', days, currencies }),
    await aSeller(db, { reports: 'USD', days, currencies }),
  ];
  const rates = await realRates('2026-03-20', '2026-04-13', ['USD', 'GBP', 'JPY']);
  await using worker = await aWorker(db, { tasks: [rollup, fxFanOut, fxBrand] as unknown as Task[] });
  const keep = (some: readonly Rate[]) => {
    const published = { layout: 'XML', days: daysOf(some) } as Parameters<typeof keepRates>[1];
    return db.transaction((tx) =>
      keepRates(tx, published, { source: 'test', now: new Date(), actor: 'test' }),
    );
  };
  const touch = ({ brand, retailer }: (typeof shops)[number]) =>
    db.transaction(async (tx) => {
      await tx.query(
        "insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) select $1, $2, 'sales', unnest($3::date[]), now()",
        [brand.id, retailer.id, days],
      );
      await enqueue(tx, rollup, { brandId: brand.id, retailerId: retailer.id });
    });
  for (let round = 0; round < ROUNDS; round++) {
    const wrong = rates
      .slice(round * 4, round * 4 + 12)
      .map(([currency, day]): Rate => [currency, day, `${round + 1}`]);
    await Promise.all([
      ...shops.map(touch),
      keep(rates.slice(0, 6 * (round + 1))),
      keep(wrong),
      ...shops.map(touch),
    ]);
  }
  await keep(rates);
  await eventually(async () => {
    expect(await db.column('select count(*) from graphile_worker.jobs')).toEqual([0]);
    expect(await db.column('select count(*) from ops.marks')).toEqual([0]);
  });
  await worker.stop();
  expect(await wrongRows(db)).toEqual([]);
  expect(await db.column('select count(*) from agg.daily_sales where fx_rate is null')).toEqual([
    days.length * 3,
  ]); // dirhams
  const failed = 'select outcome, error_code, error_message from ops.job_runs where outcome <> $1';
  expect(await db.rows(failed, ['succeeded'])).toEqual([]);
});

test('a process that is killed while it stores leaves nothing, and the next one brings all', async () => {
  await using db = await freshDb();
  const now = '2001-06-29T18:00:00Z';
  await using data = await stripeDir({}, { now });
  await using sandbox = await startSandbox({ data: data.dir });
  const shop = await aSeller(db, { reports: 'GBP', days: ['2001-06-29'], currencies: ['USD'] });
  const args = [db.url, JSON.stringify({ now }), `${sandbox.url}/ecb/stats/eurofxref`];
  {
    await using holder = await openTransaction(db); // holds it up behind its rates, before its note
    await holder.tx.query('lock table ops.fx_changes in share mode');
    await using program = runProgram('fx_sync.ts', args);
    await untilSomebodyWaitsFor(db, holder);
    program.child.kill('SIGKILL');
    expect(await program.ended()).toBe('SIGKILL');
  }
  await eventually(async () =>
    expect(
      await db.column("select count(*) from pg_stat_activity where application_name = 'nightshift test fx'"),
    ).toEqual([0]),
  );
  expect(await db.column('select count(*) from app.fx_rates')).toEqual([0]);
  expect(await db.column('select count(*) from ops.fx_feeds')).toEqual([0]);
  await using program = runProgram('fx_sync.ts', args);
  expect(await program.ended()).toBe(0);
  expect(await db.column('select count(distinct day) from app.fx_rates')).toEqual([640]);
  expect(await passOn(db)).toBe(1);
  expect(
    await db.column("select count(*) from graphile_worker.jobs where task_identifier = 'rollup'"),
  ).toEqual([1]);
  await rollUp(db, shop);
  expect(await wrongRows(db)).toEqual([]);
});
