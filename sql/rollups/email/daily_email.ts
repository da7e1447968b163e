import { first, one } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

const COUNTED = ['requests', 'delivered', 'bounces', 'blocks', 'opens', 'unique_opens', 'clicks', 'unique_clicks',
  'spam_reports', 'unsubscribes']; // biome-ignore format: a list of names
const firstOf = (what: 'letter' | 'person', kind: string) =>
  first({
    of: `day, owner_id, connection_id, campaign, ${what}, kind`,
    by: 'happened_at, event_id',
    when: `kind = '${kind}'`,
  });

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
  explains: {
    parts: [
      {
        is: 'event',
        from: 'happened',
        id: 'event_id',
        at: 'happened_at',
        object: { kind: 'events' },
        key: { counted_from: "'events'" },
        tells: { kind: 'kind' },
        adds: {
          requests: one("kind in ('processed', 'dropped')"),
          delivered: one("kind = 'delivered'"),
          bounces: one("kind = 'bounce'"),
          blocks: one("kind = 'block'"),
          opens: one("kind = 'open'"),
          unique_opens: firstOf('letter', 'open'),
          machine_opens: one("kind = 'machine_open'"),
          clicks: one("kind = 'click'"),
          unique_clicks: firstOf('letter', 'click'),
          spam_reports: one("kind = 'spam_report'"),
          unsubscribes: firstOf('person', 'unsubscribe'),
        },
      },
      {
        is: 'count of the provider',
        from: 'counted',
        id: 'counted_as',
        key: { counted_from: "'counts'" },
        tells: { taken: "case sign when 1 then 'as it is' else 'off the total' end" },
        adds: Object.fromEntries(COUNTED.map((column) => [column, `sign * ${column}`])),
      },
    ],
    notSums: { time_zone: 'in which its days are counted' },
    // What retailers have is taken off the total, and the rest is never less than nothing.
    settles: Object.fromEntries(COUNTED.map((column) => [column, 'greatest(total, 0)'])),
  },
  handsOn: 'changes',
});
