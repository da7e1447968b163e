/**
 * What a change of one subscription costs where 500 were created the same day: its states are made anew, beside
 * those of all 500, which a mark of the day of creation would ask for. Both end with the days that came out
 * different.
 */
import { objectOf } from '../sql/dirty/marks.ts';
import { rollups } from '../sql/rollups/index.ts';
import { runMarked, runRollups } from '../sql/rollups/run.ts';
import type { Figure } from './support/bench.ts';
import { compare, timed } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { addConnection } from './support/tenants.ts';

const SAME_DAY = 500;
const DAYS = 60;
const ROUNDS = 15;
const CREATED = '2026-03-02T12:00:00Z';
const NOW = new Date('2026-05-15T00:00:00Z');

export async function benchSubscriptions(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const { brandId, retailerId, connectionId } = await addConnection(db, {
    provider: 'stripe',
    account: 'acct_bench',
  });
  await addSubscriptions(db, brandId, connectionId);
  await db.query('vacuum analyze');
  const target = { brandId, retailerId, now: NOW };
  const days = Array.from({ length: DAYS }, (_, day) =>
    new Date(Date.parse(CREATED) + day * 86_400_000).toISOString().slice(0, 10),
  );
  await db.transaction((tx) => runRollups(tx, rollups, { ...target, days }));
  const ids = Array.from({ length: SAME_DAY }, (_, n) => objectOf(connectionId, `s${n}`));
  let changes = 0;
  const after = async (objects: readonly string[]) => {
    await changeOne(db, brandId, connectionId, ++changes);
    const marks = objects.map((object) => ({ subject: 'subscriptions', object }));
    return timed(() => db.transaction((tx) => runMarked(tx, rollups, { ...target, marks })));
  };
  const { one, all } = await compare(ROUNDS, { one: () => after(ids.slice(0, 1)), all: () => after(ids) });
  return [
    {
      name: `one of ${SAME_DAY} created the same day has changed, its states and days`,
      value: one,
      unit: 'ms',
    },
    { name: `the same with the states of all ${SAME_DAY}`, value: all, unit: 'ms' },
    { name: 'all / one', value: all / one, unit: 'x', bar: { atLeast: 10 } },
  ];
}

/** Each with three versions and a bill a week, before and after it was first seen. */
async function addSubscriptions(db: BenchDb, brandId: string, connectionId: string): Promise<void> {
  const subscriptions = `(select n, timestamptz '${CREATED}' + n * interval '1 minute' as at
    from generate_series(0, ${SAME_DAY - 1}) n) s`;
  const statements = [
    `insert into raw.stripe_subscriptions (brand_id, connection_id, id, status, currency, customer_id, created_at,
       start_date, cancel_at_period_end, is_paused, changed_at, seen_at)
     select $1::uuid, $2::uuid, 's' || n, 'active', 'GBP', 'c' || n, at, at, false, false, at, at from ${subscriptions}`,
    `insert into raw.stripe_subscription_versions (brand_id, connection_id, id, valid_from, status, currency, customer_id,
       is_paused, items, changed_at, seen_at)
     select $1::uuid, $2::uuid, 's' || n, at + v * interval '20 days', 'active', 'GBP', 'c' || n, false,
       jsonb_build_array(jsonb_build_object('item', 'i', 'price', 'p', 'monthly', (12 + v)::text, 'undiscounted',
         (12 + v)::text, 'metered', false)), at, at
     from ${subscriptions}, generate_series(1, 3) v`,
    `insert into raw.stripe_invoice_lines (brand_id, connection_id, id, invoice_id, subscription_id, subscription_item_id,
       price_id, currency, amount, is_proration, is_tax_known, period_start, period_end, changed_at, seen_at)
     select $1::uuid, $2::uuid, 'l' || n || '-' || w, 'in' || n || '-' || w, 's' || n, 'i', 'p', 'GBP', 12, false, true,
       at + w * interval '7 days', at + (w + 1) * interval '7 days', at, at from ${subscriptions}, generate_series(0, 8) w`,
  ];
  for (const sql of statements) await db.query(sql, [brandId, connectionId]);
}

/** It is worth something else from its last version on, which is four days before the end. */
async function changeOne(db: BenchDb, brandId: string, connectionId: string, change: number): Promise<void> {
  await db.query(
    `update raw.stripe_subscription_versions
     set valid_from = $3, items = jsonb_set(items, '{0,monthly}', to_jsonb($4::text))
     where brand_id = $1 and connection_id = $2 and id = 's0'
       and valid_from = (select max(valid_from) from raw.stripe_subscription_versions
                         where brand_id = $1 and connection_id = $2 and id = 's0')`,
    [brandId, connectionId, '2026-05-11T12:00:00Z', String(15 + change)],
  );
}
