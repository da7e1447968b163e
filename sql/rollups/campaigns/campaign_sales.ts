import { one, RATE, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

/** Of the brand: whose campaign an order is credited to is known for all its retailers at once. */
export const campaignSales = defineRollup(import.meta.url, {
  name: 'campaign_sales',
  of: 'brand',
  reads: ['agg.order_days', 'agg.order_credits'],
  writes: 'agg.campaign_sales',
  grain: ['brand_id', 'day', 'campaign_id', 'retailer_id', 'currency'],
  measures: [
    'attributed_orders',
    'attributed_revenue',
    'reporting_currency',
    'fx_rate',
    'fx_day',
    'fx_cause',
  ],
  changesWith: ['sales', 'order_days', 'order_credits', 'campaigns', 'fx'],
  keepsRates: true,
  handsOn: 'changes',
  isIntermediate: true,
  explains: {
    parts: [
      {
        is: 'order',
        from: 'attributed',
        id: 'order_id',
        object: { kind: 'orders' },
        next: { explain: 'order_days', key: same('retailer_id', 'connection_id', 'order_id') },
        adds: { attributed_orders: one('is_placed and is_counted'), attributed_revenue: 'net_sales' },
      },
    ],
    notSums: RATE,
  },
});
