-- The states of the subscriptions that were created on the days of `wanted`. Whatever changes of a
-- subscription marks the day of its creation.
select p.retailer_id, p.connection_id, s.id as subscription_id, f.plan, f.valid_from, f.valid_until,
       f.customer_id, f.currency, f.is_trialing, f.is_paused, f.is_metered, trim_scale(f.monthly) as monthly,
       f.cause, f.is_reconstructed, s.created_at, p.time_zone
from spans p
cross join lateral (
  select o.id, o.created_at from raw.stripe_subscriptions o
  where o.brand_id = $1 and o.connection_id = p.connection_id and o.deleted_at is null
    and o.created_at >= p.starts_at and o.created_at < p.ends_at
  order by o.created_at
) s
cross join lateral fact.states_of_subscription($1, p.connection_id, s.id) f
