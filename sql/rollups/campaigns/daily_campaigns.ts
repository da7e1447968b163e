import { one, RATE, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

export const dailyCampaigns = defineRollup(import.meta.url, {
  name: 'daily_campaigns',
  of: 'brand',
  reads: ['agg.order_days', 'agg.order_credits'],
  writes: 'agg.daily_campaigns',
  grain: ['brand_id', 'day', 'campaign_id', 'currency'],
  measures: [
    'spend',
    'attributed_orders',
    'attributed_revenue',
    'credited_orders',
    'credited_revenue',
    'reporting_currency',
    'fx_rate',
    'fx_day',
    'fx_cause',
  ],
  changesWith: ['sales', 'order_days', 'order_credits', 'campaigns', 'fx'],
  handsOn: 'changes',
  keepsRates: true,
  causesOfColumns: { spend: 'changed_spend' },
  isProved: true,
  explains: {
    parts: [
      {
        is: 'order of the day',
        from: 'attributed',
        id: 'order_id',
        object: { kind: 'orders' },
        key: { campaign_id: 'coalesce(campaign, $1::uuid)' },
        tells: same('touch_kind', 'touch'),
        next: { explain: 'order_days', key: same('retailer_id', 'connection_id', 'order_id') },
        adds: { attributed_orders: one('is_placed and is_counted'), attributed_revenue: 'net_sales' },
      },
      {
        is: 'order touched on the day',
        from: 'touched',
        id: 'order_id',
        at: 'touched_at',
        object: { kind: 'orders' },
        tells: same('touch_kind', 'touch'),
        adds: { credited_orders: one('is_counted'), credited_revenue: 'net_sales' },
      },
      { is: 'spend', from: 'spendings', id: 'source', connection: 'null', adds: { spend: 'amount' } },
    ],
    notSums: RATE,
  },
});
