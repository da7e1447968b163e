import { defineRollup } from '../define.ts';

/** Of the brand, for all its retailers at once, because events may be of none. */
export const dailyFunnel = defineRollup(import.meta.url, {
  name: 'daily_funnel',
  of: 'brand',
  reads: ['raw.events'],
  writes: 'agg.daily_funnel',
  grain: ['brand_id', 'day', 'owner_id', 'stage'],
  measures: ['events', 'visitors'],
  changesWith: ['events'],
  keptFrom: 'events_from',
});
