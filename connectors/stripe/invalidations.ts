/**
 * The unseen states of a subscription are reconstructed from its bills. So a bill of such a time that is added, deleted
 * or changed, and a price that it names, marks the subscription: its states are recomputed. Later bills add nothing to
 * what was seen.
 */
import type { Invalidation } from '#sql/load/invalidations.ts';
import { rowsWhere, statement } from '#sql/load/statements.ts';

/** The subscriptions `w.id`, and until when each has unseen times. */
const SUBSCRIPTIONS = `
  cross join lateral (${rowsWhere('raw.stripe_subscriptions', 'id')}) s
  cross join lateral (
    select greatest(min(v.valid_from), max(v.valid_from) filter (where v.unseen_from is not null)) as seen_at
    from (${rowsWhere('raw.stripe_subscription_versions', 'id')}) v
    where v.deleted_at is null
  ) v`;

/** Whether and when the first bill was paid; and bills that stayed drafts. */
export const statesOfBills: Invalidation = {
  table: 'raw.stripe_invoices',
  column: 'subscription_id',
  subject: 'subscriptions',
  names: 'object',
  pairs: statement(`
    select concat_ws(' ', b.id, b.billing_reason, b.status, b.created_at, b.paid_at, trim_scale(b.total)) as key,
           s.id as object
    from unnest($3::text[]) as w (id)
    ${SUBSCRIPTIONS}
    cross join lateral (${rowsWhere('raw.stripe_invoices', 'subscription_id')}) b
    where b.deleted_at is null and b.created_at < v.seen_at
      and (b.billing_reason = 'subscription_create' or b.status = 'draft')`),
};

export const statesOfLines: Invalidation = {
  table: 'raw.stripe_invoice_lines',
  column: 'subscription_id',
  subject: 'subscriptions',
  names: 'object',
  pairs: statement(`
    select concat_ws(' ', l.id, l.subscription_item_id, l.price_id, l.period_start, l.period_end,
                     trim_scale(l.quantity), trim_scale(l.amount), l.is_proration, l.is_tax_known,
                     md5(concat_ws(' ', l.payload -> 'taxes', l.payload -> 'discount_amounts'))) as key,
           s.id as object
    from unnest($3::text[]) as w (id)
    ${SUBSCRIPTIONS}
    cross join lateral (${rowsWhere('raw.stripe_invoice_lines', 'subscription_id')}) l
    where l.deleted_at is null and l.period_start < v.seen_at`),
};

/** Amount and interval of a price; its name and state do not matter. */
export const statesOfPrices: Invalidation = {
  table: 'raw.stripe_prices',
  column: 'id',
  subject: 'subscriptions',
  names: 'object',
  pairs: statement(`
    select distinct concat_ws(' ', p.id, md5(concat_ws(' ', p.payload -> 'recurring', p.payload -> 'billing_scheme',
                     p.payload -> 'unit_amount', p.payload -> 'unit_amount_decimal', p.payload -> 'tiers_mode',
                     p.payload -> 'tiers', p.payload -> 'transform_quantity', p.payload -> 'currency_options',
                     p.payload -> 'tax_behavior'))) as key,
           s.id as object
    from unnest($3::text[]) as w (id)
    cross join lateral (${rowsWhere('raw.stripe_prices', 'id')}) p
    cross join lateral (
      select distinct l.subscription_id as id
      from (select p.id) w
      cross join lateral (
        select * from raw.stripe_invoice_lines o
        where o.brand_id = $1 and o.connection_id = $2 and o.price_id >= w.id and o.price_id <= w.id
          and o.subscription_id is not null
        order by o.price_id
      ) l
    ) u
    cross join lateral (
      select s.id from (select u.id) w
      cross join lateral (${rowsWhere('raw.stripe_subscriptions', 'id')}) s
    ) s`),
};
