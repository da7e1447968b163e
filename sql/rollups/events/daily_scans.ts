import { defineRollup } from '../define.ts';

/** Of the brand, for all its retailers at once, because events may be of none. */
export const dailyScans = defineRollup(import.meta.url, {
  name: 'daily_scans',
  of: 'brand',
  reads: ['raw.events'],
  writes: 'agg.daily_scans',
  grain: ['brand_id', 'day', 'owner_id', 'code'],
  measures: ['scans', 'devices', 'unknown_devices', 'over_limit', 'outside', 'unplaced'],
  changesWith: ['events'],
  keptFrom: 'events_from',
});
