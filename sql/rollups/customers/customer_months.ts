import { one, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

export const customerMonths = defineRollup(import.meta.url, {
  name: 'customer_months',
  object: 'customer_id',
  reads: ['agg.order_days'],
  writes: 'agg.customer_months',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'customer_id', 'month', 'currency'],
  measures: ['cohort_month', 'is_new', 'orders', 'net_sales'],
  changesWith: ['customers'],
  waitsFor: ['sales'],
  handsOn: 'query',
  explains: {
    parts: [
      {
        is: 'day of an order',
        // Without months that come to nothing, which have no row.
        from: `(
          select b.* from booked b join fresh f using (retailer_id, connection_id, customer_id, month, currency)) b`,
        id: "order_id || ' ' || day",
        at: 'placed_at',
        object: { kind: 'orders', id: 'order_id' },
        next: { explain: 'order_days', key: same('day', 'connection_id', 'order_id') },
        adds: { orders: one('is_order'), ...same('net_sales') },
      },
    ],
    notSums: {
      cohort_month: 'the month of the first order of the customer',
      is_new: 'whether that order is of this month and currency',
    },
  },
});
