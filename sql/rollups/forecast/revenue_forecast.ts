import { defineRollup } from '../define.ts';

/** Its rows are given: see ../given.ts. */
export const revenueForecast = defineRollup(import.meta.url, {
  name: 'revenue_forecast',
  reads: [],
  writes: 'agg.revenue_forecast',
  grain: ['brand_id', 'retailer_id', 'day', 'currency', 'for_day'],
  measures: ['predicted', 'lower', 'upper', 'confidence', 'method'],
  changesWith: [],
  explains: 'it is an estimate: `npx nightshift forecast show --brand BRAND` says how it was made',
  isIntermediate: true,
});
