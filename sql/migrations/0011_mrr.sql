-- Monthly recurring revenue. Stripe keeps no history of a subscription: what we saw of it is kept in
-- raw.stripe_subscription_versions, and what came before is made from its times and invoice lines.

-- What each subscription was worth, from an instant to another, as far as it counts. A function of raw:
-- the rollup makes all states of a subscription anew when anything of it has changed.
create table agg.subscription_states (
  brand_id uuid not null,
  retailer_id uuid not null,
  connection_id uuid not null,
  subscription_id text not null,
  plan text not null,
  valid_from timestamptz not null,
  valid_until timestamptz not null,
  customer_id text not null,
  currency text not null,
  is_trialing boolean not null,
  is_paused boolean,
  is_metered boolean not null,
  monthly numeric,
  cause text,
  is_reconstructed boolean not null,
  time_zone text not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, connection_id, subscription_id, plan, valid_from),
  constraint known_or_caused check ((monthly is null) = (cause is not null))
);
comment on table agg.subscription_states is
  'states of subscriptions that are active, past_due or trialing, one row per plan (price) in them; other times have no row';
comment on column agg.subscription_states.valid_until is 'the instant at which another state or none begins; infinity while it holds';
comment on column agg.subscription_states.monthly is 'major units a month after discounts without end and without tax, 18 places; 0 in a trial and for metered plans; null where nobody can tell';
comment on column agg.subscription_states.cause is 'why monthly is null: price_unknown, coupon_unknown or tax_unknown';
comment on column agg.subscription_states.is_paused is 'whether collection was paused; null where that was not seen, because it leaves no trace';
comment on column agg.subscription_states.time_zone is 'zone of the brand by which its days were marked; another one marks them again';
create index subscription_states_by_start on agg.subscription_states (brand_id, retailer_id, valid_from);
create index subscription_states_by_end on agg.subscription_states (brand_id, retailer_id, valid_until);
create index subscription_states_of_customer on agg.subscription_states (brand_id, retailer_id, connection_id, customer_id);

create table agg.daily_mrr (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  plan text not null,
  is_reconstructed boolean not null,
  is_metered boolean not null,
  active_subscriptions bigint not null,
  trialing bigint not null,
  paused bigint,
  mrr numeric,
  mrr_cause text,
  new_mrr numeric,
  expansion_mrr numeric,
  reactivated_mrr numeric,
  contraction_mrr numeric,
  churned_mrr numeric,
  churned_subscriptions bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency, plan),
  constraint moved_or_caused check (
    num_nulls(new_mrr, expansion_mrr, reactivated_mrr, contraction_mrr, churned_mrr)
      = case when mrr_cause is null then 0 else 5 end
    and (mrr is not null or mrr_cause is not null))
);
comment on table agg.daily_mrr is 'monthly recurring revenue of a retailer at the end of a day, by currency and plan';

create view bi.daily_mrr as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.day, a.currency, a.plan,
       p.plan_name, a.is_reconstructed, a.is_metered, a.active_subscriptions, a.trialing, a.paused, a.mrr,
       a.new_mrr, a.expansion_mrr, a.contraction_mrr, a.churned_mrr, a.reactivated_mrr,
       a.new_mrr + a.expansion_mrr + a.reactivated_mrr - a.contraction_mrr - a.churned_mrr as net_new_mrr,
       a.churned_subscriptions, a.mrr_cause, a.computed_at
from agg.daily_mrr a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
left join lateral (
  select coalesce(nullif(s.nickname, ''), o.name) as plan_name
  from app.connections c
  join raw.stripe_prices s on s.brand_id = a.brand_id and s.connection_id = c.id and s.id = a.plan
  left join raw.stripe_products o on o.brand_id = a.brand_id and o.connection_id = c.id and o.id = s.product_id
  where c.brand_id = a.brand_id and c.retailer_id = a.retailer_id
  order by c.name limit 1
) p on true;

comment on view bi.daily_mrr is 'Monthly recurring revenue by Stripe''s definition, per retailer, day in the brand''s time zone, currency and plan: what subscriptions are worth at the end of the day (today: now). Every day from the first one on has rows, even if nothing changed; a row without subscriptions and movements is left out. mrr = mrr of the day before + new_mrr + expansion_mrr + reactivated_mrr - contraction_mrr - churned_mrr, exactly, if all are known. Days before Nightshift first read the account are reconstructed. Some past facts leave no trace in Stripe: since when a subscription had been unpaid at the first reading, unless a draft invoice shows it; that a subscription was unpaid or paused and came back; that it was paused after its trial and went on before the first reading; that a coupon, quantity or tax was different, unless an invoice shows it; that an invoice was not charged automatically.';
comment on column bi.daily_mrr.brand_id is 'id of the brand';
comment on column bi.daily_mrr.brand is 'short name of the brand';
comment on column bi.daily_mrr.retailer_id is 'id of the retailer';
comment on column bi.daily_mrr.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_mrr.day is 'day in the brand''s time zone';
comment on column bi.daily_mrr.currency is 'ISO 4217 currency of the subscriptions; every amount is in it';
comment on column bi.daily_mrr.plan is 'id of the Stripe price; a subscription with two prices is in two rows';
comment on column bi.daily_mrr.plan_name is 'current nickname of the price, else current name of its product; null if neither is known';
comment on column bi.daily_mrr.is_reconstructed is 'true if a state in this row was not observed: it is derived from the dates of the subscription and from invoice lines, because Stripe keeps no history';
comment on column bi.daily_mrr.is_metered is 'true if the price is charged by usage: its subscriptions are counted, and worth 0 because usage is not recurring revenue';
comment on column bi.daily_mrr.active_subscriptions is 'subscriptions that are active or past_due at the end of the day, including metered ones and those with paused collection; a subscription with two plans counts in both rows';
comment on column bi.daily_mrr.trialing is 'subscriptions in a trial at the end of the day; worth 0';
comment on column bi.daily_mrr.paused is 'those of active_subscriptions whose collection is paused (status and worth stay); null if is_reconstructed, because a past pause leaves no trace';
comment on column bi.daily_mrr.mrr is 'monthly worth of the active subscriptions, rounded once to the smallest unit of the currency: a year / 12, a week x 52 / 12, a day x 365 / 12; without tax, even if the price includes it; minus discounts without end only: those of the item, then those of the subscription, or of its customer if the subscription has none; null if Stripe cannot tell, see mrr_cause';
comment on column bi.daily_mrr.new_mrr is 'mrr of customers whose total in this currency was 0 on every earlier day';
comment on column bi.daily_mrr.expansion_mrr is 'increase in this plan by customers with a total above 0 both the day before and now; a change of plan is expansion in one plan and contraction in the other';
comment on column bi.daily_mrr.contraction_mrr is 'decrease in this plan by such customers, as a positive amount; includes the loss of one of several subscriptions';
comment on column bi.daily_mrr.churned_mrr is 'mrr lost from customers whose total in this currency falls to 0, as a positive amount, on the day the subscription ends, not the day its cancellation was requested';
comment on column bi.daily_mrr.reactivated_mrr is 'mrr of customers whose total in this currency was 0 the day before and above 0 on an earlier day';
comment on column bi.daily_mrr.net_new_mrr is 'mrr - mrr of the day before';
comment on column bi.daily_mrr.churned_subscriptions is 'subscriptions active in this row the day before and now active in no plan: ended, unpaid or paused as a whole; a change of plan does not count, the loss of one of a customer''s several subscriptions does';
comment on column bi.daily_mrr.mrr_cause is 'why amounts of this row are null: price_unknown (the price is gone, or its amount in the subscription''s currency is unknown), coupon_unknown (the coupon of a discount is gone), tax_unknown (the price includes a tax that Stripe computes, and no invoice with an amount shows it); the movements are null too, also on the day such a subscription leaves';
comment on column bi.daily_mrr.computed_at is 'when the figures of this row last changed';

create table ops.days_carried (
  brand_id uuid not null,
  retailer_id uuid,
  carried_to timestamptz not null,
  unique nulls not distinct (brand_id, retailer_id)
);
comment on column ops.days_carried.retailer_id is 'whose figures; null for the brand''s own';
comment on table ops.days_carried is
  'up to which instant the rollups of a retailer, or of the brand, have carried states forward: figures of a state change with the day, though nothing else does';

-- What prices and coupons make of a month.

-- Digits after the point of Stripe's amounts: its own list, which is not ISO's.
-- https://docs.stripe.com/currencies#zero-decimal
create function fact.stripe_exponent(currency text) returns integer
language sql immutable parallel safe as $$
  select case
    when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV',
                      'XAF', 'XOF', 'XPF') then 0
    when currency in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 3
    else 2 end
$$;

-- An amount of each interval of a price as an amount a month: a year is 12 months, a week 12/52 of one, a
-- day 12/365. Null without an interval that we know.
create function fact.per_month(amount numeric, recurring jsonb) returns numeric
language sql immutable parallel safe as $$
  select round(amount * i.times, 36) / (i.parts * coalesce((recurring ->> 'interval_count')::numeric, 1))
  from (values ('day', 365, 12), ('week', 52, 12), ('month', 1, 1), ('year', 1, 12)) as i (name, times, parts)
  where i.name = recurring ->> 'interval'
$$;

-- What one interval of a price costs for a quantity, in minor units: by the pack where it is sold so, by
-- tiers where it has them. Null for a tiered price without its tiers.
create function fact.billed(price jsonb, quantity numeric) returns numeric
language sql immutable parallel safe as $$
  with sold as (
    select case
      when t.pack is null then quantity
      else div(quantity, t.pack)
           + case when price -> 'transform_quantity' ->> 'round' = 'up' and mod(quantity, t.pack) <> 0 then 1 else 0 end
      end as packs
    from (select (price -> 'transform_quantity' ->> 'divide_by')::numeric as pack) t
  ), tiers as (
    select t.number, (t.tier ->> 'up_to')::numeric as up_to,
           coalesce(lag((t.tier ->> 'up_to')::numeric) over (order by t.number), 0) as above,
           coalesce(t.tier ->> 'unit_amount_decimal', t.tier ->> 'unit_amount', '0')::numeric as unit,
           coalesce(t.tier ->> 'flat_amount_decimal', t.tier ->> 'flat_amount', '0')::numeric as flat
    from jsonb_array_elements(case when jsonb_typeof(price -> 'tiers') = 'array' then price -> 'tiers' else '[]' end)
         with ordinality as t (tier, number)
  )
  select case
    when price is null then null
    when price ->> 'billing_scheme' is distinct from 'tiered' then
      s.packs * coalesce(price ->> 'unit_amount_decimal', price ->> 'unit_amount', '0')::numeric
    when price ->> 'tiers_mode' = 'volume' then
      (select t.unit * s.packs + t.flat from tiers t where t.up_to is null or s.packs <= t.up_to order by t.number limit 1)
    else
      (select sum(t.unit * (least(s.packs, coalesce(t.up_to, s.packs)) - t.above) + t.flat) from tiers t
       where t.number = 1 or s.packs > t.above)
    end
  from sold s
$$;

-- A price in the currency of a subscription: its own, or one of its options. Null if it is neither.
create function fact.price_in(price jsonb, currency text) returns jsonb
language sql immutable parallel safe as $$
  select case
    when price ->> 'currency' is null or upper(price ->> 'currency') = $2 then price
    when jsonb_typeof(o.option) = 'object' then price - '{tiers,unit_amount,unit_amount_decimal}'::text[] || o.option
    end
  from (select price -> 'currency_options' -> lower($2) as option) o
$$;

-- The coupons without end among discounts as Stripe gives them, of those that had begun, in their order. Of one
-- that is gone nobody can say what it was. `products`: what it is for; null for all.
create function fact.lasting_coupons(discounts jsonb, at timestamptz, currency text)
returns table (is_unknown boolean, percent_off numeric, amount_off numeric, products jsonb)
language sql immutable parallel safe as $$
  select jsonb_typeof(c.coupon) is distinct from 'object', (c.coupon ->> 'percent_off')::numeric,
         case when upper(c.coupon ->> 'currency') = $3 then (c.coupon ->> 'amount_off')::numeric
              else (c.coupon -> 'currency_options' -> lower($3) ->> 'amount_off')::numeric end,
         c.coupon -> 'applies_to' -> 'products'
  from jsonb_array_elements(case when jsonb_typeof(discounts) = 'array' then discounts else '[]' end)
       with ordinality as d (discount, number)
  cross join lateral (select d.discount -> 'source' -> 'coupon' as coupon) c
  where (jsonb_typeof(c.coupon) is distinct from 'object' or c.coupon ->> 'duration' = 'forever')
    and coalesce(to_timestamp((d.discount ->> 'start')::numeric), '-infinity') <= at
  order by d.number
$$;

-- What discounts leave of what items are worth a month, as connectors/stripe/mrr/discounts.ts says it: percentages
-- first, then amounts, which are off each invoice and so count as often a month as the first item that they
-- are for is billed. `recurrings` has null for metered items. Null where nobody can tell.
create function fact.after_discounts(
  worths numeric[], products text[], recurrings jsonb[], discounts jsonb, at timestamptz, currency text)
returns numeric[]
language plpgsql immutable parallel safe as $$
declare
  coupon record;
  remaining numeric[] := worths;
  is_off boolean[];
  total numeric;
  amount numeric;
begin
  if discounts is null or discounts in ('null', '[]') then return worths; end if;
  if exists (select from fact.lasting_coupons(discounts, at, currency) c where c.is_unknown) then
    return array(select case when r.recurring is null then r.worth end
                 from unnest(worths, recurrings) with ordinality as r (worth, recurring, number) order by r.number);
  end if;
  for coupon in select * from fact.lasting_coupons(discounts, at, currency) c where c.percent_off is not null loop
    for i in 1 .. cardinality(worths) loop
      if coupon.products is null or coupon.products ? products[i] then
        remaining[i] := remaining[i] * (100 - coupon.percent_off) * 0.01;
      end if;
    end loop;
  end loop;
  for coupon in select * from fact.lasting_coupons(discounts, at, currency) c where c.amount_off <> 0 loop
    is_off := array(
      select r.recurring is not null and (coupon.products is null or coalesce(coupon.products ? r.product, false))
      from unnest(products, recurrings) with ordinality as r (product, recurring, number) order by r.number);
    continue when not true = any (is_off);
    amount := fact.per_month(coupon.amount_off * power(0.1, fact.stripe_exponent(currency)),
                             recurrings[array_position(is_off, true)]);
    select case when count(*) = count(r.worth) then sum(r.worth) end into total
    from unnest(remaining, is_off) as r (worth, is_off) where r.is_off;
    continue when total = 0;
    for i in 1 .. cardinality(worths) loop
      if is_off[i] then -- all of them null where one is
        remaining[i] := round(remaining[i] * greatest(total - amount, 0), 48) / total;
      end if;
    end loop;
  end loop;
  return remaining;
end
$$;
