import { one, same } from '../../explain/explanation.ts';
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
  explains: {
    parts: [
      {
        is: 'device',
        from: 'devices',
        id: "coalesce(visitor, 'unknown')",
        connection: 'null',
        tells: same('per_device'),
        adds: {
          ...same('scans', 'outside', 'unplaced'),
          devices: one('visitor is not null'),
          unknown_devices: 'case when visitor is null then scans end',
          over_limit: 'case when visitor is not null then greatest(scans - per_device, 0) end',
        },
      },
    ],
  },
});
