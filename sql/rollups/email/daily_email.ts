import { defineRollup } from '../define.ts';

/** Of the brand, for all its retailers at once: whose an event is, and what nobody has, shows in all of them. */
export const dailyEmail = defineRollup(import.meta.url, {
  name: 'daily_email',
  of: 'brand',
  reads: ['fact.email_events', 'fact.email_counts', 'fact.email_accounts'],
  writes: 'agg.daily_email',
  grain: ['brand_id', 'day', 'owner_id', 'connection_id', 'campaign', 'counted_from'],
  measures: [
    'time_zone',
    'requests',
    'delivered',
    'bounces',
    'blocks',
    'opens',
    'unique_opens',
    'machine_opens',
    'clicks',
    'unique_clicks',
    'spam_reports',
    'unsubscribes',
  ],
  changesWith: ['email'],
});
