/**
 * Days whose mail changes hands with what a campaign is: an event names its campaign, and that the lists it went to. A
 * campaign that is deleted went to them all the same.
 */
import type { Invalidation } from '#sql/load/invalidations.ts';
import { rowsWhere, statement } from '#sql/load/statements.ts';

export const mailOfSingleSends: Invalidation = {
  table: 'raw.sendgrid_single_sends',
  column: 'id',
  subject: 'email',
  pairs: statement(`
    select distinct s.id || ' ' || array_to_json(s.parts) as key, (e.happened_at at time zone $4)::date as day
    from unnest($3::text[]) as w (id)
    cross join lateral (${rowsWhere('raw.sendgrid_single_sends', 'id')}) s
    cross join lateral (
      select e.happened_at from (select s.id) w
      cross join lateral (${rowsWhere('raw.sendgrid_events', 'single_send_id')}) e
    ) e`),
};
