import { defineRollup } from '../define.ts';

/** Of the brand: a letter of its one account reaches orders of all its retailers. */
export const orderCredits = defineRollup(import.meta.url, {
  name: 'order_credits',
  of: 'brand',
  object: 'order_id',
  reads: ['agg.order_days', 'fact.email_clicks', 'fact.campaign_posts'],
  writes: 'agg.order_credits',
  grain: ['brand_id', 'connection_id', 'order_id'],
  measures: [
    'retailer_id',
    'day',
    'currency',
    'is_counted',
    'net_sales',
    'campaign_id',
    'touch_kind',
    'touch',
    'touched_at',
    'touched_on',
  ],
  changesWith: ['order_days', 'credits', 'links', 'clicks', 'post_campaigns'],
  exchanges: { as: 'credits', subjects: ['links', 'clicks', 'post_campaigns'] },
  handsOn: 'query',
  // An order's own code is there from its beginning, so what comes later to a known order is a touch.
  causes: {
    added_touch: `(s.campaign_id, s.touch_kind, s.touch, s.touched_at) is distinct from (f.campaign_id, f.touch_kind, f.touch, f.touched_at)`,
  },
  explains:
    'it names the one touch that an order is credited to, and what the order brought over all its days',
});
