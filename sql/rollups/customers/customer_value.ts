import { one, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

export const customerValue = defineRollup(import.meta.url, {
  name: 'customer_value',
  object: 'customer_id',
  reads: ['agg.order_days'],
  writes: 'agg.customer_value',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'customer_id', 'currency'],
  measures: [
    'country',
    'orders',
    'units',
    'units_returned',
    'net_sales',
    'ordered_sales',
    'first_order_day',
    'last_order_day',
    'all_orders',
    'first_day',
    'last_day',
  ],
  changesWith: ['customers'],
  explains: {
    parts: [
      {
        is: 'day of an order',
        // Without currencies in which all came to nothing, which have no row.
        from: '(select b.* from booked b join fresh f using (retailer_id, connection_id, customer_id, currency)) b',
        id: "order_id || ' ' || day",
        at: 'placed_at',
        object: { kind: 'orders', id: 'order_id' },
        next: { explain: 'order_days', key: same('day', 'connection_id', 'order_id') },
        adds: { orders: one('is_order'), ...same('units', 'units_returned', 'net_sales', 'ordered_sales') },
      },
    ],
    notSums: {
      country: 'of the newest order',
      first_order_day: 'of this currency',
      last_order_day: 'of this currency',
      all_orders: 'in all currencies',
      first_day: 'in all currencies',
      last_day: 'in all currencies',
    },
  },
});
