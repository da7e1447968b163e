import { one } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

/** Of the brand: a visitor of an experiment may come by way of several retailers. */
export const dailyAbTests = defineRollup(import.meta.url, {
  name: 'daily_ab_tests',
  of: 'brand',
  reads: ['raw.events', 'raw.past_exposures'],
  writes: 'agg.daily_ab_tests',
  grain: ['brand_id', 'day', 'experiment', 'variant'],
  measures: ['exposed', 'converted', 'mixed'],
  changesWith: ['exposures'],
  keptFrom: 'events_from',
  explains: {
    parts: [
      {
        is: 'visitor',
        from: 'visitors',
        id: 'visitor',
        at: 'happened_at',
        connection: 'null',
        adds: {
          exposed: one('not is_mixed'),
          converted: one('not is_mixed and has_converted'),
          mixed: one('is_mixed'),
        },
      },
    ],
  },
});
