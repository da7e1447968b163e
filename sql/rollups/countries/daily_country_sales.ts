import { first, one, same } from '../../explain/explanation.ts';
import { moves, rises } from '../causes.ts';
import { defineRollup } from '../define.ts';

export const dailyCountrySales = defineRollup(import.meta.url, {
  name: 'daily_country_sales',
  reads: ['agg.order_days'],
  writes: 'agg.daily_country_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'country'],
  measures: ['orders', 'customers', 'units', 'units_returned', 'gross_sales', 'discounts', 'returns'],
  changesWith: ['order_days'],
  handsOn: 'changes',
  causes: {
    late_order: rises('orders'),
    edited_order: moves('orders', 'units', 'gross_sales', 'discounts'),
    late_refund: moves('returns', 'units_returned'),
  },
  explains: {
    parts: [
      {
        is: 'order',
        from: 'booked',
        id: 'order_id',
        at: 'placed_at',
        object: { kind: 'orders' },
        next: { explain: 'order_days', key: same('connection_id', 'order_id') },
        adds: {
          orders: one('is_order'),
          customers: first({
            of: 'retailer_id, day, currency, country, connection_id, customer_id',
            by: 'placed_at, order_id',
            when: '(is_order and customer_id is not null)',
          }),
          ...same('units', 'units_returned', 'gross_sales', 'discounts', 'returns'),
        },
      },
    ],
  },
});
