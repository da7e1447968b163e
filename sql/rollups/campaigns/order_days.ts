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
  handsOn: 'changes',
  toBrandIf: 'exists (select from app.campaigns where brand_id = $1)',
  names: [
    { column: 'order_id', as: 'order_days', of: 'brand' },
    { column: 'customer_id', as: 'customers', of: 'retailer' },
  ],
});
