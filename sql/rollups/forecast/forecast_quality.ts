import { defineRollup } from '../define.ts';

/** Its rows are given: see ../given.ts. */
export const forecastQuality = defineRollup(import.meta.url, {
  name: 'forecast_quality',
  reads: ['agg.revenue_forecast', 'agg.daily_sales'],
  writes: 'agg.forecast_quality',
  grain: ['brand_id', 'retailer_id', 'day', 'currency'],
  measures: [
    ...['state', 'cause', 'method', 'history_days', 'origins', 'error', 'naive_error', 'coverage'],
    'error_of_last_30_days',
  ],
  changesWith: [],
  explains: 'it is how far back-tested forecasts were from what was sold',
  isIntermediate: true,
});
