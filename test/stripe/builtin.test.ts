import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb } from '../support/db/db.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';

const NOW = '2011-12-10T06:00:00Z';
const BRAND_KEY = { auth: 'connected', secret: 'rk_test_sandbox_giftware' };

type Truth = { subscriptions: { subscription: string; states: State[] }[] };
type State = { status: string; items: { plan: string; mrr_exact: string }[] };

let sandbox: Awaited<ReturnType<typeof startSandbox>>;
beforeAll(async () => {
  sandbox = await startSandbox();
}, 60_000);
afterAll(() => sandbox[Symbol.asyncDispose]());

/** "91/6" to as many places as we store. */
function decimalOf(fraction: string): string {
  const [over = '0', under = '1'] = fraction.split('/');
  if (under === '1') return over;
  const scaled = (BigInt(over) * 10n ** 18n * 2n + BigInt(under)) / (BigInt(under) * 2n);
  const digits = scaled.toString().padStart(19, '0');
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`.replace(/\.?0+$/, '');
}

test('each subscription of the made-up club is worth what its life says', async () => {
  await using db = await freshDb();
  const club = await connectStripe(db, sandbox, { ...BRAND_KEY, account: 'acct_giftwareclub' });
  expect(await club.sync('subscriptions', { now: NOW })).toMatchObject({ rejected: 0 });
  const answer = await fetch(`${sandbox.url}/_sandbox/truth/mrr?account=acct_giftwareclub`);
  const truth = (await answer.json()) as Truth;
  const expected = truth.subscriptions.flatMap(({ subscription, states }) => {
    const { status, items } = states.at(-1) as State;
    if (status !== 'active' && status !== 'past_due') return [];
    return items.map(({ plan, mrr_exact }) => `${subscription} ${plan} ${decimalOf(mrr_exact)}`);
  });
  const stored = await db.column(
    `select id || ' ' || (i->>'price') || ' ' || (i->>'monthly')
     from raw.stripe_subscription_versions, jsonb_array_elements(items) i
     where status in ('active', 'past_due')`,
  );
  expect(expected.length).toBeGreaterThan(10);
  expect(stored.sort()).toEqual(expected.sort());
});

test('a year of a shop makes its balance and its payouts, to the penny', async () => {
  await using db = await freshDb();
  const shop = await connectStripe(db, sandbox, { ...BRAND_KEY, account: 'acct_giftwareeire' });
  for (const stream of ['charges', 'refunds', 'balance_transactions', 'payouts']) {
    const tally = await shop.sync(stream, { now: NOW });
    expect(tally, stream).toMatchObject({ rejected: 0 });
    expect(tally, stream).not.toHaveProperty('incomplete');
  }
  const checks = await db.rows('select ok, count(*)::int as n from ops.completeness group by ok');
  expect(checks).toEqual([{ ok: true, n: expect.any(Number) }]);
  expect(
    await db.column(
      `select count(*)::int from raw.stripe_balance_transactions b
       where reporting_category = 'charge' and not exists (select from raw.stripe_charges c where c.id = b.source_id)`,
    ),
  ).toEqual([0]);
});
