import { one, same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

export const dailyStock = defineRollup(import.meta.url, {
  name: 'daily_stock',
  object: 'variant_id',
  reads: ['fact.stock_readings', 'fact.stock_ends', 'fact.stock_sales', 'fact.product_ledger'],
  writes: 'agg.daily_stock',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'variant_id', 'day'],
  measures: [
    'level_before',
    'opening',
    'ordered',
    'returned',
    'adjusted',
    'unknown',
    'level',
    'changes',
    'sales',
    'read_at',
    'is_latest',
  ],
  changesWith: ['stock', 'sales'],
  followsDays: ['sales'],
  explains: {
    parts: [
      {
        is: 'movement',
        from: 'parts',
        id: "place || ' ' || to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
        at: 'at',
        tells: { found: "case when is_reading then 'by a reading' else 'by orders' end" },
        adds: {
          ...same('opening', 'ordered', 'returned', 'adjusted', 'unknown'),
          changes: one('is_change'),
          sales: one('not is_reading'),
        },
      },
    ],
    notSums: {
      level_before: 'the level of the day before',
      level: 'the level before, and all movements since',
      read_at: 'when it was last read',
      is_latest: 'whether no later day has a row',
    },
  },
});
