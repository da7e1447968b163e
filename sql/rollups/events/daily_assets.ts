import { first, one } from '../../explain/explanation.ts';
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
  explains: {
    parts: [
      {
        is: 'event',
        from: 'touched',
        id: 'id',
        at: 'happened_at',
        connection: 'null',
        tells: { kind: 'kind' },
        adds: {
          views: one("kind = 'page_view'"),
          downloads: one("kind = 'download'"),
          visitors: first({
            of: 'day, owner_id, asset, visitor',
            by: 'happened_at, id',
            when: '(visitor is not null)',
          }),
        },
      },
    ],
  },
});
