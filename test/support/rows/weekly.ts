/** A rollup of weeks that reads another one, which the product has none of. */
import { composeRollup } from '#sql/rollups/define.ts';

export const weeklyOrders = composeRollup({
  name: 'weekly_orders',
  reads: ['agg.daily_sales'],
  writes: 'agg.weekly_orders',
  grain: ['brand_id', 'retailer_id', 'day', 'currency'],
  measures: ['orders', 'gross_sales'],
  periods: { kinds: ['week'] },
  changesWith: ['daily_sales'],
  fresh: `
    select w.retailer_id, w.day, s.currency, sum(s.orders)::bigint as orders,
           trim_scale(sum(s.gross_sales)) as gross_sales
    from wanted w
    join agg.daily_sales s on s.brand_id = $1 and s.retailer_id = w.retailer_id and s.day >= w.day and s.day < w.next_day
    group by w.retailer_id, w.day, s.currency`,
});

export const WEEKLY_TABLE = `
  create table agg.weekly_orders (
    brand_id uuid, retailer_id uuid, day date, currency text, orders bigint, gross_sales numeric,
    computed_at timestamptz, primary key (brand_id, retailer_id, day, currency))`;
