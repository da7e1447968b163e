/** The club's year of MRR, against what its lives say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { startSandbox } from '../sandbox/server.ts';
import { freshDb, type TestDb } from './support/db.ts';
import { runTask } from './support/run.ts';
import { connectStripe } from './support/stripe_sync.ts';

const NOW = '2011-12-10T06:00:00Z';
const CLUB = { auth: 'connected', secret: 'rk_test_sandbox_giftware', account: 'acct_giftwareclub' };

type Row = {
  day: string;
  currency: string;
  plan: string;
  active_subscriptions: number;
  trialing: number;
  mrr: string;
};

let sandbox: Awaited<ReturnType<typeof startSandbox>>;
beforeAll(async () => {
  sandbox = await startSandbox();
}, 60_000);
afterAll(() => sandbox[Symbol.asyncDispose]());

async function truth(): Promise<(Row & { paused: number })[]> {
  const answer = await fetch(`${sandbox.url}/_sandbox/truth/mrr?account=acct_giftwareclub`);
  return ((await answer.json()) as { days: (Row & { paused: number })[] }).days;
}

function stored(db: TestDb): Promise<Row[]> {
  return db.rows<Row>(
    `select day, currency, plan, active_subscriptions, trialing, mrr from agg.daily_mrr
     where active_subscriptions + trialing > 0 order by day, plan`,
  );
}

function lineOf({ day, currency, plan, active_subscriptions: active, trialing, mrr }: Row): string {
  return `${day} ${currency} ${plan} ${active} ${trialing} ${Number(mrr).toFixed(2)}`;
}

test('a year that nobody watched is reconstructed, every day to the penny', async () => {
  await using db = await freshDb();
  const club = await connectStripe(db, sandbox, CLUB);
  for (const stream of ['prices', 'subscriptions', 'invoices']) await club.sync(stream, { now: NOW });
  const [retailerId] = await db.column('select retailer_id from app.connections');
  await runTask(rollup, { brandId: club.brandId, retailerId: String(retailerId), now: NOW }, db);
  const expected = (await truth()).map(lineOf);
  const found = (await stored(db)).map(lineOf);
  expect(found).toEqual(expected);
});
