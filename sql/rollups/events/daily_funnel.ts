import { first } from '../../explain/explanation.ts';
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
  explains: {
    parts: [
      {
        is: 'event',
        from: 'reached',
        id: 'id',
        at: 'happened_at',
        connection: 'null',
        adds: {
          events: '1',
          visitors: first({
            of: 'day, owner_id, stage, visitor',
            by: 'happened_at, id',
            when: '(visitor is not null)',
          }),
        },
      },
    ],
  },
});
