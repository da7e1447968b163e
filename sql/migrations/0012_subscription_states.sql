-- What a subscription was, from an instant to another. Amounts a month are stored with 18 places;
-- whoever rounds a sum of them to money rounds it to 12 places first. Rows are looked up as sql/db/planner.ts says;
-- a plan of a function is kept, so each function switches sorting off by itself.

-- When a subscription, as we first saw it, had begun to count, and until when it can have done so. No row
-- if it never did: its first invoice was not paid, or not within the 23 hours after which Stripe gives up.
create function fact.counted_before_seen(p_brand uuid, p_connection uuid, p_id text, p_status text, p_seen timestamptz)
returns table (began timestamptz, stopped timestamptz, trial_start timestamptz, trial_end timestamptz)
language plpgsql stable set enable_sort = off as $$
declare
  sub raw.stripe_subscriptions;
  bill record;
begin
  select * into sub from raw.stripe_subscriptions s
  where s.brand_id = p_brand and s.connection_id = p_connection and s.id >= p_id and s.id <= p_id
    and s.deleted_at is null
  order by s.id;
  if not found or p_status in ('incomplete', 'incomplete_expired') then return; end if;
  began := sub.created_at;
  stopped := p_seen;
  trial_end := sub.trial_end;
  trial_start := case when sub.trial_end is not null then coalesce(sub.trial_start, sub.created_at) end;
  select i.paid_at, i.status, i.total into bill from raw.stripe_invoices i
  where i.brand_id = p_brand and i.connection_id = p_connection
    and i.subscription_id >= p_id and i.subscription_id <= p_id
    and i.billing_reason = 'subscription_create' and i.deleted_at is null
  order by i.subscription_id, i.created_at, i.id limit 1;
  if found and bill.total > 0 and sub.payload ->> 'collection_method' = 'charge_automatically' then
    if bill.paid_at <= began + interval '23 hours' then
      began := greatest(began, bill.paid_at);
    elsif bill.paid_at is null and sub.ended_at <= began + interval '24 hours' then
      return;
    end if;
  end if;
  if p_status = 'paused' then -- a trial that ended without a way to pay
    stopped := least(stopped, sub.trial_end);
  elsif p_status = 'unpaid' then -- its bills stay drafts, which else they are for an hour
    select least(stopped, min(d.created_at)) into stopped
    from (
      select i.created_at from raw.stripe_invoices i
      where i.brand_id = p_brand and i.connection_id = p_connection
        and i.subscription_id >= p_id and i.subscription_id <= p_id
        and i.billing_reason = 'subscription_cycle' and i.status = 'draft' and i.deleted_at is null
        and i.created_at < p_seen - interval '1 day'
      order by i.subscription_id
    ) d;
  end if;
  if began < stopped then return next; end if;
end
$$;

-- What of an item, as we saw it, is left without the tax that its price includes. Null where nobody could tell.
create function fact.share_without_tax(item jsonb) returns numeric
language sql immutable parallel safe as $$
  select case when not item ? 'share' then 1
              when jsonb_typeof(item -> 'share') = 'array'
                then round((item #>> '{share,0}')::numeric / (item #>> '{share,1}')::numeric, 36) end
$$;

create function fact.sum_of_amounts(list jsonb) returns numeric
language sql immutable parallel safe as $$
  select coalesce(sum((e ->> 'amount')::numeric), 0)
  from jsonb_array_elements(case when jsonb_typeof(list) = 'array' then list else '[]' end) e
$$;

-- What the items of a subscription were before we saw them (p_items, as they were then), as its invoice
-- lines tell, and from p_began on what we had seen before (p_before, null if nothing). A line of a whole period says what is sold from its start on; of a change in the midst of one
-- the charge for the rest says what is sold from then on, and the credit for the rest what is no more.
create function fact.items_before_seen(
  p_brand uuid, p_connection uuid, p_id text, p_currency text, p_before jsonb, p_items jsonb,
  p_began timestamptz, p_stopped timestamptz)
returns table (item text, price text, product text, is_metered boolean, worth numeric, share numeric,
               recurring jsonb, discounts jsonb, starts timestamptz, ends timestamptz)
language plpgsql stable set enable_sort = off as $$
#variable_conflict use_column
declare
  is_computed boolean; -- the tax, by Stripe: without a bill nobody can tell it
begin
  select coalesce((s.payload #>> '{automatic_tax,enabled}')::boolean, false) into is_computed
  from raw.stripe_subscriptions s
  where s.brand_id = p_brand and s.connection_id = p_connection and s.id >= p_id and s.id <= p_id
  order by s.id;
  return query
  with seen as (
    select i ->> 'item' as item, i ->> 'price' as price, (i ->> 'quantity')::numeric as quantity,
           (i ->> 'undiscounted')::numeric as worth, (i ->> 'metered')::boolean as is_metered,
           fact.share_without_tax(i) as share
    from jsonb_array_elements(p_items) i
  ), before as (
    select i ->> 'item' as item, i ->> 'price' as price, (i ->> 'undiscounted')::numeric as worth,
           fact.share_without_tax(i) as share
    from jsonb_array_elements(p_before) i
  ), stored as (
    select o.id as item, o.price_id as price, o.payload from raw.stripe_subscription_items o
    where o.brand_id = p_brand and o.connection_id = p_connection
      and o.subscription_id >= p_id and o.subscription_id <= p_id
    order by o.subscription_id
  ), lines as (
    select l.subscription_item_id, l.price_id, l.period_start, l.period_end, l.quantity, l.amount,
           not l.is_proration as is_whole, l.is_proration and l.amount < 0 as is_credit, l.is_tax_known, t.paid, t.included
    from raw.stripe_invoice_lines l
    cross join lateral (
      select (l.payload ->> 'amount')::numeric - fact.sum_of_amounts(l.payload -> 'discount_amounts') as paid,
             fact.sum_of_amounts(jsonb_path_query_array(l.payload, '$.taxes[*] ? (@.tax_behavior == "inclusive")')) as included
    ) t
    where l.brand_id = p_brand and l.connection_id = p_connection
      and l.subscription_id >= p_id and l.subscription_id <= p_id
      and l.deleted_at is null and l.price_id is not null and l.period_start < p_stopped
      and (p_before is null or l.period_start >= p_began - interval '1 minute') -- of what we saw we need no line
    order by l.subscription_id
  ), of_items as (
    -- A change that is billed with the next period names its price but no item.
    select coalesce(l.subscription_item_id, n.item, 'price ' || l.price_id) as item, l.price_id, l.quantity, l.amount,
           l.is_whole, l.is_credit, greatest(l.period_start, p_began) as at, l.period_start, l.period_end,
           l.is_tax_known, l.paid, l.included
    from lines l
    left join lateral (
      select min(k.item) as item
      from (select s.item, s.price from seen s union all select b.item, b.price from before b
            union all select o.subscription_item_id, o.price_id from lines o) k
      where l.subscription_item_id is null and k.price = l.price_id
    ) n on true
  ), told as (
    -- The parts of a price by tiers are lines of their own. What begins with a change goes before it.
    select distinct on (t.item, t.at) t.item, t.at, t.price_id, t.is_whole, t.quantity, t.amount, t.worth, t.share
    from (select o.item, o.at, o.period_start, o.price_id, o.is_whole,
                 sum(o.quantity) as quantity, sum(o.amount) as amount, null::numeric as worth,
                 case when bool_and(o.is_tax_known) and sum(o.paid) > 0 then round((sum(o.paid) - sum(o.included)) / sum(o.paid), 36) end as share
          from of_items o where not o.is_credit group by o.item, o.at, o.period_start, o.price_id, o.is_whole
          union all
          select b.item, p_began, '-infinity', b.price, false, null, null, b.worth, b.share from before b) t
    order by t.item, t.at, t.period_start desc, t.is_whole desc, t.amount desc, t.price_id
  ), known as (
    select k.item, min(k.at) as first_at,
           case when bool_or(k.is_seen) then p_stopped
                when max(k.at) filter (where k.is_credit)
                     > coalesce(max(k.at) filter (where not k.is_credit), '-infinity')
                  then max(k.at) filter (where k.is_credit)
                else least(max(k.period_end), p_stopped) end as ends
    from (select o.item, o.at, o.is_credit, o.period_end, false as is_seen from of_items o
          union all
          select s.item, greatest(p_began, to_timestamp((o.payload ->> 'created')::numeric)), null, null, true
          from seen s left join stored o on o.item = s.item
          union all
          select b.item, p_began, false, p_stopped, false from before b) k
    group by k.item
  ), spans as (
    select k.item, coalesce(t.price_id, s.price) as price, coalesce(t.quantity, s.quantity, 1) as quantity,
           case when t.is_whole then t.amount end as amount,
           -- Where nothing says anything else, it was worth what it was when we saw it.
           coalesce(t.worth, case when t.price_id is null or t.price_id = s.price and t.quantity = s.quantity
                                  then s.worth end) as worth,
           -- The tax is taken for the one that we saw, which is exact where rates are set; else for that of the bill.
           coalesce(s.share, b.share, t.share) as share, s.item is not null and s.share is null as is_tax_unknown,
           case when lag(t.at) over w is null then coalesce(k.first_at, p_began) else t.at end as starts,
           least(coalesce(lead(t.at) over w, k.ends), k.ends) as ends
    from known k
    left join told t on t.item = k.item
    left join seen s on s.item = k.item
    left join before b on b.item = k.item
    window w as (partition by k.item order by t.at)
  )
  select s.item, s.price, p.product, p.is_metered,
         case when p.is_metered then 0
              when s.worth is not null then s.worth
              when p.price ->> 'billing_scheme' = 'tiered' and s.amount > 0 then fact.per_month(s.amount, p.recurring)
              else fact.per_month(fact.billed(p.price, s.quantity) * power(0.1, fact.stripe_exponent(p_currency)), p.recurring)
         end,
         coalesce(s.share, case when p.is_metered or not s.is_tax_unknown and not (
                                       is_computed and p.price ->> 'tax_behavior' is distinct from 'exclusive') then 1 end),
         p.recurring, o.payload -> 'discounts', s.starts, s.ends
  from spans s
  left join lateral (
    select fact.price_in(f.price, p_currency) as price, f.price -> 'recurring' as recurring,
           f.price ->> 'product' as product,
           coalesce(f.price -> 'recurring' ->> 'usage_type' = 'metered',
                    (select n.is_metered from seen n where n.price = s.price limit 1), false) as is_metered
    -- The price in an item is there in the currency of the subscription with its tiers; others need not be.
    from (select coalesce(
            (select i.payload -> 'price' from stored i where i.price = s.price limit 1),
            (select r.payload from raw.stripe_prices r
             where r.brand_id = p_brand and r.connection_id = p_connection and r.id >= s.price and r.id <= s.price
             order by r.id)) as price) f
  ) p on true
  left join stored o on o.item = s.item
  where s.starts < s.ends;
end
$$;

-- The states of a subscription in a time that nobody saw, before p_seen and after p_before (null before the
-- first version). Coupons without end count as in connectors/stripe/mrr/discounts.ts, those of an item first, then
-- those of the subscription, or of its customer where it has none.
create function fact.states_before_seen(
  p_seen raw.stripe_subscription_versions, p_before raw.stripe_subscription_versions, p_began timestamptz)
returns table (plan text, valid_from timestamptz, valid_until timestamptz, is_trialing boolean, is_metered boolean,
               monthly numeric, cause text)
language plpgsql stable set enable_sort = off as $$
#variable_conflict use_column
declare
  p_brand uuid := p_seen.brand_id;
  p_connection uuid := p_seen.connection_id;
  p_id text := p_seen.id;
  p_currency text := p_seen.currency;
  counted record;
  given jsonb;
begin
  if p_before.id is null then
    select * into counted from fact.counted_before_seen(p_brand, p_connection, p_id, p_seen.status, p_seen.valid_from);
  elsif array[p_seen.status, p_before.status] && array['active', 'past_due', 'trialing'] then
    select p_began as began, p_seen.valid_from as stopped, s.trial_start, s.trial_end into counted
    from raw.stripe_subscriptions s
    where s.brand_id = p_brand and s.connection_id = p_connection and s.id >= p_id and s.id <= p_id
    order by s.id;
  else
    return;
  end if;
  if counted.began is null then return; end if;
  select case when s.payload #> '{discounts,0}' is not null then s.payload -> 'discounts'
              when jsonb_typeof(s.payload #> '{customer,discount}') = 'object'
                then jsonb_build_array(s.payload #> '{customer,discount}') end into given
  from raw.stripe_subscriptions s
  where s.brand_id = p_brand and s.connection_id = p_connection and s.id >= p_id and s.id <= p_id
  order by s.id;
  return query
  with items as materialized (
    select * from fact.items_before_seen(p_brand, p_connection, p_id, p_currency, p_before.items, p_seen.items,
                                             counted.began, counted.stopped)
  ), times as (
    select t.at, coalesce(lead(t.at) over (order by t.at), counted.stopped) as until
    from (select i.starts as at from items i union select i.ends from items i
          union select counted.began union select counted.trial_start union select counted.trial_end
          union select to_timestamp((d ->> 'start')::numeric)
          from jsonb_array_elements(case when jsonb_typeof(given) = 'array' then given else '[]' end) d) t
    where t.at >= counted.began and t.at < counted.stopped
  ), parts as (
    select t.at, t.until, i.*, case when not i.is_metered then i.recurring end as billed_by,
           (fact.after_discounts(array[i.worth], array[i.product], array[case when not i.is_metered then i.recurring end],
                                 i.discounts, t.at, p_currency))[1] as own_worth
    from times t join items i on i.starts <= t.at and i.ends > t.at
  ), wholes as (
    select p.at, array_agg(p.item order by p.item, p.price) as items,
           fact.after_discounts(array_agg(p.own_worth order by p.item, p.price), array_agg(p.product order by p.item, p.price),
                                array_agg(p.billed_by order by p.item, p.price), given, p.at, p_currency) as worths,
           bool_or(p.worth is null) as is_price_unknown
    from parts p group by p.at
  ), known as (
    select p.price, p.at, p.until, p.is_metered, t.is_trialing, w.worths[array_position(w.items, p.item)] * p.share as monthly,
           case when w.worths[array_position(w.items, p.item)] is not null then 'tax_unknown'
                when w.is_price_unknown then 'price_unknown' else 'coupon_unknown' end as cause
    from parts p
    join wholes w on w.at = p.at
    cross join lateral (
      select coalesce(p.at >= counted.trial_start and p.at < counted.trial_end, false) as is_trialing) t
  )
  select k.price, k.at, k.until, k.is_trialing, bool_and(k.is_metered),
         case when k.is_trialing then 0 when count(*) = count(k.monthly) then round(sum(k.monthly), 18) end,
         min(k.cause) filter (where k.monthly is null and not k.is_trialing)
  from known k
  group by k.price, k.at, k.until, k.is_trialing;
end
$$;

-- Those that are gone too: their states may still stand.
create view fact.subscriptions as
select brand_id, connection_id, id as subscription_id, created_at, deleted_at
from raw.stripe_subscriptions;

-- The states of a subscription in which it counts, one row per plan: those that we saw, and before the first
-- of them those that are reconstructed. A function of raw alone.
create function fact.states_of_subscription(p_brand uuid, p_connection uuid, p_id text)
returns table (plan text, valid_from timestamptz, valid_until timestamptz, customer_id text, currency text,
               is_trialing boolean, is_paused boolean, is_metered boolean, monthly numeric, cause text,
               is_reconstructed boolean)
language plpgsql stable set enable_sort = off as $$
#variable_conflict use_column
begin
  return query
  with stored as materialized (
    select v from raw.stripe_subscription_versions v
    where v.brand_id = p_brand and v.connection_id = p_connection and v.id >= p_id and v.id <= p_id
      and v.deleted_at is null
    order by v.id
  ), versions as (
    select v, (v).*, lag(v) over w as before,
           greatest(coalesce(lead(least((v).unseen_from, (v).valid_from)) over w, 'infinity'), (v).valid_from) as valid_until
    from stored
    -- An end is for ever. What was seen after it was seen just before, by a clock that was ahead of Stripe's.
    where (v).ended_at is not null
       or (v).valid_from < (select coalesce(min((v).ended_at), 'infinity') from stored)
    window w as (order by (v).valid_from)
  ), seen as (
    select i.item ->> 'price' as plan, v.valid_from, v.valid_until, v.customer_id, v.currency,
           v.status = 'trialing' as is_trialing, v.is_paused,
           bool_and((i.item ->> 'metered')::boolean) as is_metered,
           case when v.status = 'trialing' then 0
                when count(*) = count(i.item ->> 'monthly') then sum((i.item ->> 'monthly')::numeric) end as monthly,
           case when v.status <> 'trialing' then min(i.item ->> 'cause') end as cause, false as is_reconstructed
    from versions v cross join lateral jsonb_array_elements(v.items) as i (item)
    where v.status in ('active', 'past_due', 'trialing')
    group by i.item ->> 'price', v.valid_from, v.valid_until, v.customer_id, v.currency, v.status, v.is_paused
  ), unseen as (
    select u.plan, u.valid_from, u.valid_until, v.customer_id, v.currency, u.is_trialing, null::boolean, u.is_metered,
           u.monthly, u.cause, true
    from versions v
    cross join lateral fact.states_before_seen(v.v, v.before, greatest(v.unseen_from, (v.before).valid_from)) u
    where (v.before).id is null or v.unseen_from < v.valid_from
  ), steps as (
    -- A state that says what the one before it said goes on.
    select s.*, lag(s.valid_until) over w is distinct from s.valid_from
           or lag((s.customer_id, s.currency, s.is_trialing, s.is_paused, s.is_metered, s.monthly, s.cause, s.is_reconstructed)) over w
              is distinct from (s.customer_id, s.currency, s.is_trialing, s.is_paused, s.is_metered, s.monthly, s.cause, s.is_reconstructed)
             as is_new
    from (select * from seen union all select * from unseen) s
    window w as (partition by s.plan order by s.valid_from)
  ), runs as (
    select s.*, count(*) filter (where s.is_new) over (partition by s.plan order by s.valid_from) as run from steps s
  )
  select r.plan, min(r.valid_from), max(r.valid_until), min(r.customer_id), min(r.currency), bool_or(r.is_trialing),
         bool_or(r.is_paused), bool_or(r.is_metered), min(r.monthly), min(r.cause), bool_or(r.is_reconstructed)
  from runs r group by r.plan, r.run;
end
$$;
