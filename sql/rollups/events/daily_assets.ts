import { defineRollup } from '../define.ts';

/** Of the brand, for all its retailers at once, because events may be of none. */
export const dailyAssets = defineRollup(import.meta.url, {
  name: 'daily_assets',
  of: 'brand',
  reads: ['raw.events'],
  writes: 'agg.daily_assets',
  grain: ['brand_id', 'day', 'owner_id', 'asset'],
  measures: ['views', 'downloads', 'visitors'],
  changesWith: ['events'],
  handsOn: 'changes',
  keptFrom: 'events_from',
});
