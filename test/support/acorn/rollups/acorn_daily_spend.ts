import { defineRollup } from '#sql/rollups/define.ts';

export const acornDailySpend = defineRollup(import.meta.url, {
  name: 'acorn_daily_spend',
  of: 'brand',
  reads: ['raw.acorn_spend', 'raw.acorn_opens'],
  writes: 'agg.acorn_daily_spend',
  grain: ['brand_id', 'day', 'currency'],
  measures: ['spend', 'opens', 'reporting_currency', 'fx_rate', 'fx_day', 'fx_cause'],
  changesWith: ['spend', 'emails', 'fx'],
  keepsRates: true,
});
