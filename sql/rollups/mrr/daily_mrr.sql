-- One row per retailer, brand-local day, currency and plan with subscriptions or movements. A day is the
-- state at its end, today the one at $4; later days have no rows.
with moments as (
  select w.*, w.starts_at - interval '1 microsecond' as before_at,
         least(w.ends_at - interval '1 microsecond', $4::timestamptz) as at
  from wanted w
), standing as (
  select m.retailer_id, m.day, s.*
  from moments m
  cross join lateral (
    select a.connection_id, a.subscription_id, a.customer_id, a.currency, a.plan, a.valid_from, a.is_trialing,
           a.is_paused, a.is_metered, a.is_reconstructed, a.monthly, a.cause
    from agg.subscription_states a
    where a.brand_id = $1 and a.retailer_id = m.retailer_id
      and a.valid_from <= m.at and a.valid_until > m.at and m.before_at < m.at
    order by a.valid_until
  ) s
), levels as (
  select retailer_id, day, currency, plan, bool_or(is_metered) as is_metered,
         bool_or(is_reconstructed) as is_reconstructed,
         count(*) filter (where not is_trialing) as active_subscriptions,
         count(*) filter (where is_trialing) as trialing,
         count(*) filter (where is_paused and not is_trialing) as paused,
         case when count(*) = count(monthly) then sum(monthly) end as mrr, min(cause) as cause
  from standing
  group by retailer_id, day, currency, plan
), stirred as (
  -- Customers of whom anything began or ended on the day. Their ids are per connection.
  select distinct m.retailer_id, m.day, m.time_zone, m.before_at, m.at, s.connection_id, s.customer_id, s.currency
  from moments m
  cross join lateral (
    (select a.connection_id, a.customer_id, a.currency from agg.subscription_states a
     where a.brand_id = $1 and a.retailer_id = m.retailer_id and a.valid_from > m.before_at and a.valid_from <= m.at
     order by a.valid_from)
    union all
    (select a.connection_id, a.customer_id, a.currency from agg.subscription_states a
     where a.brand_id = $1 and a.retailer_id = m.retailer_id and a.valid_until > m.before_at and a.valid_until <= m.at
     order by a.valid_until)
  ) s
), held as (
  select c.retailer_id, c.day, c.time_zone, c.before_at, c.connection_id, c.customer_id, c.currency, s.plan,
         s.subscription_id,
         bool_or(s.is_metered) as is_metered,
         coalesce(sum(s.monthly) filter (where s.is_before), 0) as before,
         coalesce(sum(s.monthly) filter (where s.is_now), 0) as now,
         min(s.cause) as cause, coalesce(bool_or(s.cause is not null) filter (where s.is_before), false) as was_unknown,
         coalesce(bool_or(s.cause is not null) filter (where s.is_now), false) as is_unknown,
         coalesce(bool_or(not s.is_trialing) filter (where s.is_before), false) as was_active,
         bool_or(bool_or(s.is_now and not s.is_trialing)) over (
           partition by c.retailer_id, c.day, c.connection_id, s.subscription_id) as is_active_at_all,
         -- Nothing has ended where the subscription still has the plan, in another currency or for another customer.
         coalesce(bool_or(s.is_reconstructed) filter (where s.is_before), false)
         and not bool_or(bool_or(s.is_now)) over (
           partition by c.retailer_id, c.day, c.connection_id, s.subscription_id, s.plan) as left_unseen
  from stirred c
  cross join lateral (
    select a.*, a.valid_from <= c.before_at and a.valid_until > c.before_at as is_before,
           a.valid_from <= c.at and a.valid_until > c.at as is_now
    from agg.subscription_states a
    where a.brand_id = $1 and a.retailer_id = c.retailer_id and a.connection_id = c.connection_id
      and a.customer_id >= c.customer_id and a.customer_id <= c.customer_id and a.currency = c.currency
    order by a.customer_id
  ) s
  where s.is_before or s.is_now
  group by c.retailer_id, c.day, c.time_zone, c.before_at, c.connection_id, c.customer_id, c.currency, s.plan,
           s.subscription_id
), moved as (
  select h.retailer_id, h.day, h.time_zone, h.before_at, h.connection_id, h.customer_id, h.currency, h.plan,
         sum(h.now) - sum(h.before) as exact_change, round(sum(h.now) - sum(h.before), 12) as change,
         bool_or(h.is_metered) as is_metered,
         count(*) filter (where h.was_active and not h.is_active_at_all) as churned_subscriptions,
         bool_or(h.left_unseen) as left_unseen, min(h.cause) as cause,
         -- What nobody can tell is something: who has it is a customer.
         sum(sum(h.before)) over customer = 0 and not bool_or(bool_or(h.was_unknown)) over customer as had_nothing,
         sum(sum(h.now)) over customer = 0 and not bool_or(bool_or(h.is_unknown)) over customer as has_nothing
  from held h
  group by h.retailer_id, h.day, h.time_zone, h.before_at, h.connection_id, h.customer_id, h.currency, h.plan
  window customer as (partition by h.retailer_id, h.day, h.connection_id, h.customer_id, h.currency)
), classified as (
  select m.*, case
    when m.had_nothing and m.change > 0 then case when k.was_here then 'reactivated' else 'new' end
    when m.has_nothing and m.change < 0 then 'churned'
    when m.change > 0 then 'expansion'
    when m.change < 0 then 'contraction' end as class
  from moved m
  cross join lateral (
    -- Worth something at the end of any day before.
    select m.had_nothing and m.change > 0 and exists (
      select from agg.subscription_states a
      where a.brand_id = $1 and a.retailer_id = m.retailer_id and a.connection_id = m.connection_id
        and a.customer_id >= m.customer_id and a.customer_id <= m.customer_id
        and a.currency = m.currency and (a.monthly > 0 or a.cause is not null) and a.valid_from <= m.before_at
        and a.valid_until >= fact.day_start((a.valid_from at time zone m.time_zone)::date + 1, m.time_zone)
      order by a.customer_id offset 0
    ) as was_here
  ) k
), movements as (
  select retailer_id, day, currency, plan, bool_or(is_metered) as is_metered, bool_or(left_unseen) as left_unseen,
         sum(exact_change) as exact_change, coalesce(sum(change) filter (where class = 'new'), 0) as new,
         coalesce(sum(change) filter (where class = 'expansion'), 0) as expansion,
         coalesce(sum(change) filter (where class = 'reactivated'), 0) as reactivated,
         coalesce(-sum(change) filter (where class = 'contraction'), 0) as contraction,
         coalesce(-sum(change) filter (where class = 'churned'), 0) as churned,
         sum(churned_subscriptions)::bigint as churned_subscriptions, min(cause) as cause
  from classified
  group by retailer_id, day, currency, plan
), figures as (
  -- Both days are rounded as they stand; rises and falls are rounded so that they lie just between them.
  select retailer_id, day, currency, plan, coalesce(l.is_metered, m.is_metered) as is_metered,
         coalesce(l.is_reconstructed, false) or coalesce(m.left_unseen, false) as is_reconstructed,
         coalesce(l.active_subscriptions, 0) as active_subscriptions, coalesce(l.trialing, 0) as trialing,
         case when l.is_reconstructed then null else coalesce(l.paused, 0) end as paused,
         t.mrr, t.mrr - b.mrr as change, c.cause,
         coalesce(m.new, 0) as new, coalesce(m.expansion, 0) as expansion, coalesce(m.reactivated, 0) as reactivated,
         coalesce(m.contraction, 0) as contraction, coalesce(m.churned, 0) as churned,
         coalesce(m.churned_subscriptions, 0) as churned_subscriptions
  from levels l
  full join movements m using (retailer_id, day, currency, plan)
  cross join lateral (
    select fact.round_to_currency(round(case when l.cause is null then coalesce(l.mrr, 0) end, 12), currency) as mrr) t
  cross join lateral (
    select fact.round_to_currency(round(coalesce(l.mrr, 0) - coalesce(m.exact_change, 0), 12), currency) as mrr) b
  cross join lateral (select coalesce(l.cause, m.cause) as cause) c
), settled as (
  select f.*, d.fall, f.change + d.fall as rise, r.new as new_rounded, r.reactivated as reactivated_rounded,
         r.churned as churned_rounded
  from figures f
  cross join lateral (
    select fact.round_to_currency(f.new, f.currency) as new,
           fact.round_to_currency(f.reactivated, f.currency) as reactivated,
           fact.round_to_currency(f.churned, f.currency) as churned,
           fact.round_to_currency(f.contraction + f.churned, f.currency) as fall
  ) r
  cross join lateral (
    select greatest(case when f.new + f.expansion + f.reactivated > 0 then r.fall end, -f.change, 0) as fall
  ) d
)
select s.retailer_id, s.day, s.currency, s.plan, s.is_reconstructed, s.is_metered, s.active_subscriptions,
       s.trialing, s.paused, trim_scale(s.mrr) as mrr, s.cause as mrr_cause, m.new_mrr, m.expansion_mrr,
       m.reactivated_mrr, m.contraction_mrr, m.churned_mrr, s.churned_subscriptions
from settled s
cross join lateral (
  select case when s.expansion + s.reactivated = 0 then s.rise else least(s.new_rounded, s.rise) end as new_mrr
) n
cross join lateral (
  select case when s.reactivated = 0 then 0
              when s.expansion = 0 then s.rise - n.new_mrr
              else least(s.reactivated_rounded, s.rise - n.new_mrr) end as reactivated_mrr
) b
cross join lateral (
  select case when s.contraction = 0 then s.fall else least(s.churned_rounded, s.fall) end as churned_mrr
) g
left join lateral (
  select trim_scale(n.new_mrr) as new_mrr, trim_scale(s.rise - n.new_mrr - b.reactivated_mrr) as expansion_mrr,
         trim_scale(b.reactivated_mrr) as reactivated_mrr, trim_scale(s.fall - g.churned_mrr) as contraction_mrr,
         trim_scale(g.churned_mrr) as churned_mrr
) m on s.cause is null
where s.cause is not null or s.active_subscriptions + s.trialing + s.churned_subscriptions > 0 or s.rise > 0 or s.fall > 0
