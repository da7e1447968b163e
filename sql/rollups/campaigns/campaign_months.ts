import { same } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

export const campaignMonths = defineRollup(import.meta.url, {
  name: 'campaign_months',
  of: 'brand',
  reads: ['agg.daily_campaigns'],
  writes: 'agg.campaign_months',
  grain: ['brand_id', 'day', 'campaign_id'],
  measures: [
    'reporting_currency',
    'spend',
    'attributed_orders',
    'attributed_revenue',
    'credited_orders',
    'credited_revenue',
    'fx_cause',
  ],
  periods: { kinds: ['month'] },
  changesWith: ['daily_campaigns'],
  isIntermediate: true,
  explains: {
    parts: [
      {
        is: 'day',
        from: 'days',
        id: "of_day || ' ' || currency",
        connection: 'null',
        next: { explain: 'daily_campaigns', key: { day: 'of_day', ...same('currency') } },
        tells: same('fx_rate'),
        adds: {
          spend: 'spend * fx_rate',
          attributed_revenue: 'attributed_revenue * fx_rate',
          credited_revenue: 'credited_revenue * fx_rate',
          ...same('attributed_orders', 'credited_orders'),
        },
        unknown: {
          spend: 'fx_rate is null and spend <> 0',
          attributed_revenue: 'fx_rate is null and attributed_revenue <> 0',
          credited_revenue: 'fx_rate is null and credited_revenue <> 0',
        },
      },
    ],
    notSums: { reporting_currency: 'the reporting currency of the brand', fx_cause: 'why a rate is missing' },
  },
});
