-- Which order a charge pays, so that cash and sales can be compared and a sale is never counted twice. All
-- look-ups are in views, none in a function: a function would read with the rights of who asks.

-- The references that may mean an order: what fact.charge_orders takes, turned round.
create function fact.references_of_order(order_id text, name text) returns text[]
language sql immutable parallel safe as $$
  select array[order_id, 'gid://shopify/Order/' || order_id, name]
         || case when name like '#%' then array[substr(name, 2)] else '{}' end
$$;

-- Charges that brought money, in the currency that the buyer saw, with the reference of their payment
-- intent where they have none themselves.
create view fact.captured_charges as
select h.brand_id, c.retailer_id, h.connection_id, h.id as charge_id, h.created_at, h.currency,
       h.amount_captured as charged, coalesce(h.order_reference, i.order_reference) as order_reference
from raw.stripe_charges h
left join app.connections c on c.brand_id = h.brand_id and c.id = h.connection_id
left join lateral (
  select order_reference from raw.stripe_payment_intents
  where brand_id = h.brand_id and connection_id = h.connection_id
    and id >= h.payment_intent_id and id <= h.payment_intent_id
    and h.order_reference is null and deleted_at is null
  order by id
) i on true
where h.status = 'succeeded' and h.captured and h.deleted_at is null;

-- Each of them once, with the one order that it pays or why there is none. A reference is an order's id (also
-- as gid://shopify/Order/…) or else its name, with or without the leading #; an id goes before a name. Only
-- orders of the same retailer are looked at. Two that fit alike, in two shops, are told apart by nothing.
create view fact.charge_orders as
select h.*, o.connection_id as order_connection_id, o.order_id,
       case when h.order_reference is null then 'no_reference' when o.orders = 0 then 'not_found'
            when o.orders > 1 then 'ambiguous' else 'matched' end as match, o.is_by_id
from fact.captured_charges h
cross join lateral (
  select count(*) as orders, case when count(*) = 1 then min(f.connection_id::text)::uuid end as connection_id,
         case when count(*) = 1 then min(f.id) end as order_id, min(f.way) = 1 as is_by_id
  from (
    select n.connection_id, n.id, n.way, min(n.way) over () as best_way
    from app.connections c
    cross join lateral (
      select 1 as way, i.* from (
        select case when h.order_reference like 'gid://shopify/Order/%' then substr(h.order_reference, 21)
                    when h.order_reference not like '#%' then h.order_reference end as id
      ) w
      cross join lateral (
        select o.connection_id, o.id from raw.shopify_orders o
        where o.brand_id = h.brand_id and o.connection_id = c.id and o.id >= w.id and o.id <= w.id
          and o.deleted_at is null and not o.test
        order by o.id
      ) i
      union all
      select 2, i.* from (values (h.order_reference), ('#' || h.order_reference)) w (name)
      cross join lateral (
        select o.connection_id, o.id from raw.shopify_orders o
        where o.brand_id = h.brand_id and o.connection_id = c.id and o.name >= w.name and o.name <= w.name
          and o.deleted_at is null and not o.test
        order by o.name
      ) i
    ) n
    where c.brand_id = h.brand_id and c.retailer_id = h.retailer_id and c.provider = 'shopify'
  ) f
  where f.way = f.best_way
) o;

-- What went back to buyers and did not fail. A capture below the authorization looks like a refund too, but
-- gives nothing back.
create view fact.charge_refunds as
select r.brand_id, r.connection_id, r.charge_id, r.amount
from raw.stripe_refunds r
where r.deleted_at is null and r.status not in ('failed', 'canceled') and not exists (
  select from raw.stripe_balance_transactions t
  where t.brand_id = r.brand_id and t.connection_id = r.connection_id
    and t.id >= r.balance_transaction_id and t.id <= r.balance_transaction_id
    and t.reporting_category = 'partial_capture_reversal'
  order by t.id offset 0);

-- What Shopify showed the buyer as the total, where that was in another currency than the shop's.
create function fact.presentment_total(payload jsonb) returns numeric
language sql immutable parallel safe as $$
  select case when shown ~ '^-?[0-9]+([.][0-9]+)?$' then shown::numeric end
  from (select payload #>> '{totalPriceSet,presentmentMoney,amount}' as shown) s
$$;

-- One row per order, with the charges that pay it, whenever they were made. The row is in the currency of the
-- shop; where all that was charged is in the other currency, the one in which the buyer saw the order, in that
-- one. Amounts of two currencies are never added: other charges of the order are not in `charged`. The total
-- is rounded to what can be charged, because Shopify's may have more places than the currency.
create view fact.order_payments as
select o.brand_id, c.retailer_id, o.connection_id, o.id as order_id, o.name, o.processed_at,
       o.cancelled_at is not null as is_cancelled, t.currency,
       fact.round_to_currency(t.total, t.currency) as order_total, t.charges, t.charged, t.refunded,
       case when t.charges = 0 and h.ambiguous_charges > 0 then 'ambiguous'
            when t.charged = fact.round_to_currency(t.total, t.currency)
            then case when t.charged = 0 then 'nothing_due' else 'matched' end
            when t.charged > fact.round_to_currency(t.total, t.currency) then 'over'
            when t.charged = 0 then 'unpaid' else 'partial' end as state
from raw.shopify_orders o
left join app.connections c on c.brand_id = o.brand_id and c.id = o.connection_id
cross join lateral (
  select count(*) filter (where f.is_own and f.currency = o.currency) as shop_charges,
         sum(f.charged) filter (where f.is_own and f.currency = o.currency) as shop_charged,
         sum(f.refunded) filter (where f.is_own and f.currency = o.currency) as shop_refunded,
         count(*) filter (where f.is_own and f.currency = o.presentment_currency) as shown_charges,
         sum(f.charged) filter (where f.is_own and f.currency = o.presentment_currency) as shown_charged,
         sum(f.refunded) filter (where f.is_own and f.currency = o.presentment_currency) as shown_refunded,
         count(*) filter (where f.is_shared) as ambiguous_charges
  from (
    select m.currency, m.charged, r.refunded,
           m.order_id = o.id and m.order_connection_id = o.connection_id as is_own,
           m.match = 'ambiguous'
             and m.is_by_id = (m.order_reference in (o.id, 'gid://shopify/Order/' || o.id)) as is_shared
    from app.connections s
    cross join lateral (
      select d.id from (select distinct unnest(fact.references_of_order(o.id, o.name)) as reference) w
      cross join lateral (
        select id from raw.stripe_charges
        where brand_id = o.brand_id and connection_id = s.id
          and order_reference >= w.reference and order_reference <= w.reference
        order by order_reference
      ) d
      union all
      select d.id from (select distinct unnest(fact.references_of_order(o.id, o.name)) as reference) w
      cross join lateral (
        select id from raw.stripe_payment_intents
        where brand_id = o.brand_id and connection_id = s.id
          and order_reference >= w.reference and order_reference <= w.reference
        order by order_reference
      ) i
      cross join lateral (
        select id from raw.stripe_charges
        where brand_id = o.brand_id and connection_id = s.id and order_reference is null
          and payment_intent_id >= i.id and payment_intent_id <= i.id
        order by payment_intent_id
      ) d
    ) n
    cross join lateral (
      select * from fact.charge_orders
      where brand_id = o.brand_id and connection_id = s.id and charge_id >= n.id and charge_id <= n.id
      order by charge_id
    ) m
    cross join lateral (
      select coalesce(sum(p.amount), 0) as refunded
      from (
        select amount from fact.charge_refunds
        where brand_id = o.brand_id and connection_id = s.id and charge_id >= n.id and charge_id <= n.id
        order by charge_id
      ) p
    ) r
    where s.brand_id = o.brand_id and s.retailer_id = c.retailer_id and s.provider = 'stripe'
  ) f
) h
cross join lateral (
  select case when o.presentment_currency <> o.currency and h.shop_charges = 0 and h.shown_charges > 0
              then fact.presentment_total(o.payload) end as shown_total
) q
cross join lateral (
  select o.currency, o.total_price as total, h.shop_charges as charges,
         coalesce(h.shop_charged, 0) as charged, coalesce(h.shop_refunded, 0) as refunded
  where q.shown_total is null
  union all
  select o.presentment_currency, q.shown_total, h.shown_charges, h.shown_charged, h.shown_refunded
  where q.shown_total is not null
) t
where o.deleted_at is null and not o.test;

-- Looked up when it is read, so that a late charge needs no rollup of the day of its order. A condition on
-- happened_at reaches an index; one on the day reads the times of all orders and charges of the brand, but
-- matches those of the day only; one on the order has to match all charges, because any may be its own.
create view bi.order_payments as
select p.brand_id, b.slug as brand, p.retailer_id, r.slug as retailer,
       (p.processed_at at time zone b.time_zone)::date as day, p.currency, p.state,
       p.connection_id, p.order_id, p.name as order_name, null::text as charge_id,
       p.processed_at as happened_at, p.is_cancelled, p.order_total, p.charges, p.charged, p.refunded,
       p.order_total - p.charged as difference
from fact.order_payments p
join app.brands b on b.id = p.brand_id
join app.retailers r on r.brand_id = p.brand_id and r.id = p.retailer_id
union all
select h.brand_id, b.slug, h.retailer_id, r.slug, (h.created_at at time zone b.time_zone)::date, h.currency,
       case h.match when 'matched' then 'other_currency' else h.match end,
       h.connection_id, h.order_id, null, h.charge_id, h.created_at, null, null, 1, h.charged, f.refunded, -h.charged
from fact.charge_orders h
join app.brands b on b.id = h.brand_id
join app.retailers r on r.brand_id = h.brand_id and r.id = h.retailer_id
cross join lateral (
  select coalesce(sum(p.amount), 0) as refunded
  from (
    select amount from fact.charge_refunds
    where brand_id = h.brand_id and connection_id = h.connection_id
      and charge_id >= h.charge_id and charge_id <= h.charge_id
    order by charge_id
  ) p
) f
where case when h.match <> 'matched' then true
  when h.currency = (select o.currency from raw.shopify_orders o
    where o.brand_id = h.brand_id and o.connection_id = h.order_connection_id
      and o.id >= h.order_id and o.id <= h.order_id order by o.id) then false
  else h.currency <> (select o.currency from fact.order_payments o
    where o.brand_id = h.brand_id and o.connection_id = h.order_connection_id
      and o.order_id >= h.order_id and o.order_id <= h.order_id order by o.order_id) end;

comment on view bi.order_payments is 'What was charged for each order, and charges without an order: one row per order that is neither test nor deleted, and one row per captured charge that is in no order''s row, so every charge is in exactly one row. A charge is matched by the order id or name that it, or its payment intent, carries. Always current: it needs no rollup.';
comment on column bi.order_payments.brand_id is 'id of the brand';
comment on column bi.order_payments.brand is 'short name of the brand';
comment on column bi.order_payments.retailer_id is 'id of the retailer';
comment on column bi.order_payments.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.order_payments.day is 'day in the brand''s time zone on which the order was processed; in a charge''s row, the day of the charge';
comment on column bi.order_payments.currency is 'ISO 4217 currency of the amounts: the shop''s currency, or the currency shown to the buyer if everything was charged in that one; in a charge''s row, the currency of the charge';
comment on column bi.order_payments.state is 'order rows: matched (charged exactly its total), unpaid, partial, over (charged more), nothing_due, ambiguous (a charge names this order and another one equally); charge rows: no_reference (names no order), not_found, ambiguous, other_currency (the row of its order is in another currency)';
comment on column bi.order_payments.connection_id is 'id of the shop; in a charge''s row, id of the Stripe connection';
comment on column bi.order_payments.order_id is 'id of the order in its shop; null if a charge has none';
comment on column bi.order_payments.order_name is 'name of the order in the shop, such as #1001';
comment on column bi.order_payments.charge_id is 'id of the charge in a charge''s row; null in an order''s row, which may have several charges';
comment on column bi.order_payments.happened_at is 'when the order was processed; in a charge''s row, when the charge was made';
comment on column bi.order_payments.is_cancelled is 'true if the order is cancelled, so that it may be unpaid for a good reason';
comment on column bi.order_payments.order_total is 'total of the order with tax and shipping, before returns, rounded to the smallest unit of its currency; null in a charge''s row';
comment on column bi.order_payments.charges is 'captured charges of the order in this currency';
comment on column bi.order_payments.charged is 'captured amount of these charges in the currency shown to the buyer, before fees; a partial capture counts what was captured';
comment on column bi.order_payments.refunded is 'part of charged that was refunded, without failed refunds; no other column subtracts it';
comment on column bi.order_payments.difference is 'order_total - charged; in a charge''s row -charged';
