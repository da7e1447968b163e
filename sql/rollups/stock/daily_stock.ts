import { defineRollup } from '../define.ts';

export const dailyStock = defineRollup(import.meta.url, {
  name: 'daily_stock',
  object: 'variant_id',
  reads: ['fact.stock_readings', 'fact.stock_sales', 'fact.stock_reading_times', 'fact.product_sales'],
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
  explains: 'its movements are in its own columns: sales and the rest of the difference between two readings',
});
