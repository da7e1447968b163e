import { one, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

/** Its days are months of activity: an order moves those in which its customer has changed, and no others. */
export const customerCohorts = defineRollup(import.meta.url, {
  name: 'customer_cohorts',
  periods: { kinds: ['month'] },
  reads: ['agg.customer_months'],
  writes: 'agg.customer_cohorts',
  grain: ['brand_id', 'retailer_id', 'day', 'cohort_month', 'currency'],
  measures: ['customers', 'new_customers', 'orders', 'net_sales'],
  changesWith: ['customer_months'],
  explains: {
    parts: [
      {
        is: 'month of a customer',
        from: 'months',
        id: 'customer_id',
        next: {
          explain: 'customer_months',
          key: { ...same('connection_id', 'customer_id', 'currency'), month: 'day' },
        },
        adds: {
          customers: one('orders > 0'),
          new_customers: one('is_new'),
          ...same('orders', 'net_sales'),
        },
      },
    ],
  },
});
