import { same } from '../../explain/explanation.ts';
import { moves } from '../causes.ts';
import { defineRollup } from '../define.ts';

export const orderDays = defineRollup(import.meta.url, {
  name: 'order_days',
  reads: ['fact.ledger', 'fact.placed_orders'],
  writes: 'agg.order_days',
  grain: ['brand_id', 'day', 'retailer_id', 'connection_id', 'order_id'],
  measures: [
    'currency',
    'placed_at',
    'is_placed',
    'is_counted',
    'customer_id',
    'person',
    'country',
    'utm_campaign',
    'visited_at',
    'discount_codes',
    'units',
    'units_returned',
    'gross_sales',
    'discounts',
    'returns',
    'net_sales',
    'ordered_sales',
  ],
  changesWith: ['sales'],
  isIntermediate: true,
  causes: {
    late_order: 's.is_placed is not true and f.is_placed',
    edited_order: moves('units', 'gross_sales', 'discounts'),
    late_refund: moves('returns', 'units_returned'),
  },
  explains: {
    parts: [
      {
        is: 'sale',
        // Without lines of tests and deleted orders, which have no rows.
        from: '(select l.* from lines l join fresh f using (retailer_id, day, connection_id, order_id)) l',
        id: 'sale_id',
        at: 'booked_at',
        object: { kind: 'sales' },
        tells: same('reason', 'line_type'),
        adds: {
          ...same('units', 'units_returned', 'gross_sales', 'discounts', 'returns', 'ordered_sales'),
          net_sales: 'coalesce(gross_sales, 0) - coalesce(discounts, 0) - coalesce(returns, 0)',
        },
      },
    ],
    notSums: {
      currency: 'of the order',
      placed_at: 'when it was placed',
      is_placed: 'whether that was on this day',
      is_counted: 'whether it counts as an order',
      customer_id: 'who placed it',
      person: 'digest of who placed it',
      country: 'where it goes',
      utm_campaign: 'of its last visit',
      visited_at: 'of its last visit',
      discount_codes: 'that it used',
    },
  },
  handsOn: 'changes',
  toBrandIf: 'exists (select from app.campaigns where brand_id = $1)',
  names: [
    { column: 'order_id', as: 'order_days', of: 'brand' },
    { column: 'customer_id', as: 'customers', of: 'retailer' },
  ],
});
