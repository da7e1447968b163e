import { one, same } from '../explain/explanation.ts';
import { moves, rises } from './causes.ts';
import { defineRollup } from './define.ts';

export const dailyProductSales = defineRollup(import.meta.url, {
  name: 'daily_product_sales',
  reads: ['fact.ledger', 'fact.real_orders', 'fact.product_ledger', 'fact.product_costs'],
  writes: 'agg.daily_product_sales',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'connection_id', 'product_key'],
  measures: [
    'orders',
    'units',
    'units_returned',
    'gross_sales',
    'discounts',
    'returns',
    'cost_of_goods',
    'units_without_cost',
  ],
  changesWith: ['sales', 'costs'],
  causes: {
    late_order: rises('orders'),
    edited_order: moves('orders', 'units', 'gross_sales', 'discounts'),
    late_refund: moves('returns', 'units_returned'),
    changed_cost: moves('cost_of_goods', 'units_without_cost'),
  },
  explains: {
    parts: [
      {
        is: 'order',
        from: `(
          select b.*, c.has_units, c.cost
          from booked b join costed c using (retailer_id, day, currency, connection_id, product_key)) b`,
        id: 'order_id',
        at: 'booked_at',
        object: { kind: 'orders' },
        next: { explain: 'order_days', key: same('order_id') },
        tells: same('cost'),
        adds: {
          orders: one('is_order_of_product'),
          ...same('units', 'units_returned', 'gross_sales', 'discounts', 'returns'),
          cost_of_goods: '(coalesce(units, 0) - coalesce(units_returned, 0)) * cost',
          units_without_cost:
            'case when has_units and cost is null then coalesce(units, 0) + coalesce(units_returned, 0) end',
        },
        unknown: { cost_of_goods: 'has_units and cost is null' },
      },
    ],
  },
});
