/** Sales to forecast from. */
import { readFileSync } from 'node:fs';
import type { TestDb } from './db/db.ts';

/** Net sales of the built-in year by day: test/data/README.md says where they are from. */
export function giftwareYear(): Map<string, number[]> {
  const [head = '', ...lines] = readFileSync(
    new URL('../data/giftware_net_sales.csv', import.meta.url),
    'utf8',
  )
    .trim()
    .split('\n')
    .map((line) => line.slice(line.indexOf(',') + 1));
  const rows = lines.map((line) => line.split(',').map(Number));
  return new Map(head.split(',').map((retailer, at) => [retailer, rows.map((row) => row[at] ?? 0)]));
}

/** Seven weekdays, repeated. */
export function weeks(week: readonly number[], count: number): number[] {
  return Array.from({ length: count }, () => week).flat();
}

export type Seller = { brandId: string; retailerId: string };

/** Stores sales of consecutive days, as the rollup does: days without any have no row. */
export async function sell(
  db: Pick<TestDb, 'query'>,
  { brandId, retailerId }: Seller,
  { from, sales, currency = 'GBP' }: { from: string; sales: readonly number[]; currency?: string },
): Promise<void> {
  await db.query(
    `insert into agg.daily_sales (brand_id, retailer_id, day, currency, orders, new_customers, returning_customers,
       guest_orders, units, units_returned, gross_sales, discounts, returns, ordered_sales, shipping, taxes, duties, fees,
       tips, gift_cards_sold, refunded_money, unclassified, unclassified_rows, reporting_currency, fx_rate, computed_at)
     select $1, $2, $3::date + s.number::int - 1, $4, 1, 0, 0, 0, 1, 0, greatest(s.net, 0), 0, greatest(-s.net, 0), s.net, 7, 3,
            0, 0, 0, 0, 0, 0, 0, $4, 1, now()
     from unnest($5::numeric[]) with ordinality as s (net, number) where s.net <> 0`,
    [brandId, retailerId, from, currency, sales],
  );
}
