/** What a dirty day of MRR costs must not depend on how many subscriptions and bills there are. */
import { expect, test } from 'vitest';
import { objectOf } from '#sql/dirty/marks.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aConnection } from '../support/rows/factory.ts';

type Plan = {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: Plan[];
};

const DAY = '2024-05-05';
const PER_DAY = 10;
const DAYS_HELD = 40;

function nodes(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)];
}

/** 300 days on each of which ten subscriptions begin that last for forty, with a bill a week. */
async function aYear(db: TestDb) {
  const { brandId, retailerId, id } = await aConnection(db, {
    provider: 'stripe',
    auth: 'key',
    secret: 'rk_test_x',
  });
  const place = [brandId, id];
  const subscriptions = `(select n, '2024-01-01T12:00:00Z'::timestamptz + n / ${PER_DAY} * interval '1 day' as at
    from generate_series(0, 2999) n) s`;
  await db.query(
    `insert into raw.stripe_subscriptions
       (brand_id, connection_id, id, status, currency, customer_id, created_at, start_date, cancel_at_period_end, is_paused,
        changed_at, seen_at)
     select $1, $2, 's' || n, 'canceled', 'GBP', 'c' || n, at, at, false, false, at, at from ${subscriptions}`,
    place,
  );
  await db.query(
    `insert into raw.stripe_subscription_versions
       (brand_id, connection_id, id, valid_from, status, currency, customer_id, is_paused, items, changed_at, seen_at)
     select $1, $2, 's' || n, at + v.days * interval '1 day', v.status, 'GBP', 'c' || n, false,
       '[{"item": "i", "price": "p", "monthly": "12", "undiscounted": "12", "metered": false}]', at, at
     from ${subscriptions}, (values (0, 'active'), (${DAYS_HELD}, 'canceled')) as v (days, status)`,
    place,
  );
  await db.query(
    `insert into raw.stripe_invoice_lines
       (brand_id, connection_id, id, invoice_id, subscription_id, subscription_item_id, price_id, currency, amount,
        is_proration, is_tax_known, period_start, period_end, changed_at, seen_at)
     select $1, $2, 'l' || n || '-' || w, 'in' || n || '-' || w, 's' || n, 'i', 'p', 'GBP', 12, false, true,
       at + w * interval '7 days', at + (w + 1) * interval '7 days', at, at from ${subscriptions}, generate_series(0, 5) w`,
    place,
  );
  return { brandId, retailerId, connectionId: id };
}

async function readsOf(db: TestDb, name: string, values: unknown[]) {
  const sql = rollups.find((rollup) => rollup.name === name)?.sql;
  const [plan] = await db.column(`explain (analyze, format json) ${sql}`, values);
  const [{ Plan: root }] = plan as [{ Plan: Plan }];
  return nodes(root)
    .filter(
      (node) =>
        node['Relation Name']?.startsWith('stripe_') || node['Relation Name']?.startsWith('subscription_'),
    )
    .map((node) => ({ node: node['Node Type'], rows: node['Actual Rows'] * node['Actual Loops'] }));
}

test('a subscription makes its own states anew, and a day its figures of those that there are', async () => {
  await using db = await freshDb();
  const { brandId, retailerId, connectionId } = await aYear(db);
  const { rows: all } = await db.query<{ day: string }>(
    "select d::date as day from generate_series('2024-01-01'::date, '2024-12-31', '1 day') d",
  );
  const days = all.map(({ day }) => day);
  const now = new Date('2025-01-01T00:00:00Z');
  await db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId, days, now }));
  await db.query('vacuum analyze');
  const values = [brandId, [retailerId], [DAY], now, [null], null, 0];

  const one = [brandId, [retailerId], [objectOf(connectionId, 's500')], now, [null], null, 0];
  const states = await readsOf(db, 'subscription_states', one);
  expect(states.length).toBeGreaterThan(0);
  expect(Math.max(...states.map(({ rows }) => rows))).toBe(1);

  // Of those that last on the day its level is made; of more than those that begin or end on it nothing else is read.
  const figures = await readsOf(db, 'daily_mrr', values);
  expect(figures.length).toBeGreaterThan(0);
  expect(figures.filter(({ node }) => node === 'Seq Scan')).toEqual([]);
  expect(Math.max(...figures.map(({ rows }) => rows))).toBe(PER_DAY * DAYS_HELD);
  expect(figures.filter(({ rows }) => rows > 2 * PER_DAY)).toHaveLength(1);
});
