-- The states of the subscriptions of `wanted`: whatever changes of one marks it.
select p.retailer_id, p.connection_id, s.id as subscription_id, f.plan, f.valid_from, f.valid_until,
       f.customer_id, f.currency, f.is_trialing, f.is_paused, f.is_metered, trim_scale(f.monthly) as monthly,
       f.cause, f.is_reconstructed, p.time_zone
from spans p
cross join lateral (
  select o.subscription_id as id from fact.subscriptions o
  where o.brand_id = $1 and o.connection_id = p.connection_id
    and o.deleted_at is null and o.subscription_id >= p.object and o.subscription_id <= p.object
  order by o.subscription_id
) s
cross join lateral fact.states_of_subscription($1, p.connection_id, s.id) f
