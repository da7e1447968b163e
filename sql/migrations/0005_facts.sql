-- Facts make providers alike. They are views: nothing is stored twice, and a condition on
-- (brand_id, connection_id, booked_at) reaches the index of the raw table below. What belongs to a row
-- is looked up in a subquery of its own, which the planner does not turn round: it thinks little of how many
-- rows an order has, would begin with all orders, and one day would cost as much as the whole history.
-- The subquery asks for a range of one value in the order of the one index that has it so. Every index of raw
-- begins with the brand and the connection, and where statistics are missing or old any of them looks as good:
-- another one reads the whole connection for each row. Whoever reads many rows switches sorting off
-- (sql/db/planner.ts), which leaves no other way. The retailer is a left join, which costs nothing where nobody asks
-- for it.

-- The instant at which a day begins in a zone. Where the clock is set back over midnight (Havana, now
-- and then Antarctica) a day has two midnights and PostgreSQL takes the later one; the day begins with
-- the earlier, which is midnight by the clock of the evening before.
create function fact.day_start(day date, zone text) returns timestamptz
language sql immutable parallel safe as $$
  select case when (early at time zone zone)::date < day then late else least(early, late) end
  from (select day::timestamp at time zone zone as late) l,
       lateral (select late - interval '12 hours' as evening) e,
       lateral (select (day - ((evening at time zone zone) - (evening at time zone 'UTC'))) at time zone 'UTC' as early) m
$$;

-- Digits after the decimal point of a currency, as ISO 4217 says (runtime/currencies.ts; a test compares them).
create function fact.currency_exponent(currency text) returns integer
language sql immutable parallel safe as $$
  select case
    when currency in ('BIF', 'BYR', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                      'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
    when currency in ('CLF', 'UYW') then 4
    else 2 end
$$;

-- Rounds half away from zero, as round(numeric) does.
create function fact.round_to_currency(amount numeric, currency text) returns numeric
language sql immutable parallel safe as $$
  select round(amount, fact.currency_exponent(currency))
$$;

-- Units of wanted_currency per unit of currency on a day. Both sides of a cross come from one day of
-- publication: the day itself or the last one before it, at most 10 calendar days back. There is
-- always one row; without a rate it says why: no_rate (never published) or stale_rate (too old).
create function fact.exchange_rate(currency text, wanted_currency text, day date)
returns table (fx_rate numeric, fx_day date, fx_cause text)
language sql stable parallel safe as $$
  with published as (
    select r.currency, r.day, r.units_per_euro from app.fx_rates r
    where r.currency in ($1, $2) and r.day between $3 - 10 and $3
    union all -- the euro is not published: it is the unit of the others, on their days
    select 'EUR', r.day, 1 from app.fx_rates r
    where 'EUR' in ($1, $2) and r.currency in ($1, $2) and r.day between $3 - 10 and $3
  ), rate as (
    select round(p.wanted / p.theirs, 12) as rate, p.day
    from (
      select p.day, min(p.units_per_euro) filter (where p.currency = $1) as theirs,
             min(p.units_per_euro) filter (where p.currency = $2) as wanted
      from published p group by p.day
    ) p
    where p.theirs is not null and p.wanted is not null
    order by p.day desc limit 1
  )
  select case when $1 = $2 then 1 else rate.rate end,
         case when $1 = $2 then $3 else rate.day end,
         case when $1 = $2 or rate.rate is not null then null
              when exists (select from unnest(array[$1, $2]) side where side <> 'EUR' and coalesce((
                select r.day from app.fx_rates r where r.currency = side order by r.day limit 1) > $3, true)) then 'no_rate'
              else 'stale_rate' end
  from (values (true)) one (row) left join rate on true
$$;

-- Orders that are neither tests nor deleted, whether they count as orders or not: what is booked on them
-- counts in any case.
create view fact.real_orders as
select brand_id, connection_id, id as order_id, processed_at, currency, customer_id, country, counted
from raw.shopify_orders
where deleted_at is null and not test;

-- One row per row of Shopify's sales ledger, of whatever order, sorted into measures; a measure that is
-- not of this row's kind is null.
create view fact.ledger as
select s.brand_id, c.retailer_id, s.connection_id, s.order_id, s.id as sale_id, s.agreement_id,
       s.booked_at, s.currency, s.reason, s.line_type, k.kind,
       case when s.line_type = 'PRODUCT' then s.line_id end as line_id,
       s.quantity,
       case k.kind when 'sold' then s.quantity end as units,
       case k.kind when 'returned' then -s.quantity end as units_returned,
       s.total_amount - s.tax_amount + d.discounts as gross_sales, d.discounts,
       case when k.kind in ('returned', 'adjusted') then s.tax_amount - s.total_amount end as returns,
       case when k.kind = 'sold' and s.reason = 'ORDER' then s.total_amount - s.tax_amount end as ordered_sales,
       case k.kind when 'shipping' then s.total_amount - s.tax_amount end as shipping,
       case when k.kind not in ('tip', 'unclassified') then s.tax_amount end as taxes,
       case k.kind when 'duty' then s.total_amount - s.tax_amount end as duties,
       case k.kind when 'fee' then s.total_amount - s.tax_amount end as fees,
       case k.kind when 'tip' then s.total_amount end as tips,
       case k.kind when 'gift_card' then s.total_amount - s.tax_amount end as gift_cards_sold,
       case k.kind when 'unclassified' then s.total_amount end as unclassified
from raw.shopify_sales s
left join app.connections c on c.brand_id = s.brand_id and c.id = s.connection_id
cross join lateral (select case s.line_type
  when 'PRODUCT' then
    -- What a refund or return gives a positive sign takes back an earlier return and is not a sale; only goods
    -- given out in an exchange are ordered in a return. An edit of no piece that names a discount changes the
    -- discount. Else the quantity gives the sign; where there is none, the amount does.
    case when s.reason = 'REFUND' or s.action_type = 'RETURN' or s.reason = 'RETURN' and s.action_type <> 'ORDER'
           then 'returned'
         when coalesce(s.quantity, 0) = 0 and s.discount_amount <> 0 and s.reason in ('ORDER_EDIT', 'UNKNOWN')
           then 'rediscounted'
         when coalesce(nullif(s.quantity, 0), s.total_amount - s.tax_amount) < 0 then 'returned'
         else 'sold' end
  when 'ADJUSTMENT' then 'adjusted'
  when 'SHIPPING' then 'shipping'
  when 'DUTY' then 'duty'
  when 'FEE' then 'fee'
  when 'ADDITIONAL_FEE' then 'fee'
  when 'GIFT_CARD' then 'gift_card'
  when 'TIP' then 'tip'
  else 'unclassified' end as kind) k
-- Whatever sign a discount is given, goods are sold for less by it, and for more where it is taken off again.
cross join lateral (select case k.kind
  when 'sold' then abs(s.discount_amount)
  when 'rediscounted' then abs(s.discount_amount) * -sign(s.total_amount - s.tax_amount) end as discounts) d
where s.deleted_at is null;

-- The rows of the ledger that count, with what their order adds.
create view fact.sales as
select l.*, o.country, o.customer_id,
       -- A row that makes its order count for its product.
       o.counted and l.reason = 'ORDER' and l.line_type = 'PRODUCT' and l.quantity > 0 as is_order_of_product,
       -- For comparison with Shopify's own report, which cuts days by the shop's zone.
       (select (l.booked_at at time zone p.time_zone)::date from raw.shopify_shops p
        where p.brand_id = l.brand_id and p.connection_id = l.connection_id limit 1) as shop_day
from fact.ledger l
cross join lateral (
  select country, customer_id, counted from fact.real_orders
  where brand_id = l.brand_id and connection_id = l.connection_id
    and order_id >= l.order_id and order_id <= l.order_id
  order by order_id
) o;

-- What a line without variant is called. Cut, because an index entry has a largest size.
create function fact.line_name(sku text, title text) returns text
language sql immutable parallel safe as $$
  select left(coalesce(nullif(sku, ''), title), 500)
$$;

-- The rows of fact.sales that belong to goods, each with the product it is counted for: the variant,
-- else the line's sku or title, else `unallocated` (adjustments, and rows that name no line).
create view fact.product_sales as
select s.*, case
  when l.variant_id is not null then l.variant_id
  when l.id is not null then 'line:' || fact.line_name(l.sku, l.title)
  else 'unallocated' end as product_key
from fact.sales s
left join lateral (
  select id, variant_id, sku, title from raw.shopify_order_lines
  where brand_id = s.brand_id and connection_id = s.connection_id and id >= s.line_id and id <= s.line_id
  order by id
) l on true
where s.line_type in ('PRODUCT', 'ADJUSTMENT');

-- What a unit of a product cost from an instant on; null = unknown, not zero.
create view fact.product_costs as
select brand_id, connection_id, id as product_key, valid_from, currency, cost
from raw.shopify_costs
where deleted_at is null;

create index shopify_order_lines_without_variant on raw.shopify_order_lines
  (brand_id, connection_id, fact.line_name(sku, title), changed_at) where variant_id is null;

-- Counted orders only. Ids are compared as numbers: 10 comes after 9.
create view fact.orders as
select o.brand_id, c.retailer_id, o.connection_id, o.id as order_id, o.processed_at, o.currency,
       o.customer_id, o.country,
       o.customer_id is not null and not exists (
         select from raw.shopify_orders e
         where e.brand_id = o.brand_id and e.connection_id = o.connection_id
           and e.customer_id >= o.customer_id and e.customer_id <= o.customer_id
           and e.counted and e.deleted_at is null and e.processed_at <= o.processed_at
           and (e.processed_at, e.id::numeric) < (o.processed_at, o.id::numeric)
         order by e.customer_id, e.processed_at offset 0
       ) as is_first_of_customer
from raw.shopify_orders o
left join app.connections c on c.brand_id = o.brand_id and c.id = o.connection_id
where o.counted and o.deleted_at is null;

-- Money that went back to buyers: successful refunds, on the day of the money.
create view fact.refunds as
select t.brand_id, c.retailer_id, t.connection_id, t.order_id, t.id as transaction_id, t.processed_at,
       t.currency, t.amount
from raw.shopify_transactions t
cross join lateral (
  select from fact.real_orders
  where brand_id = t.brand_id and connection_id = t.connection_id
    and order_id >= t.order_id and order_id <= t.order_id
  order by order_id
) o
left join app.connections c on c.brand_id = t.brand_id and c.id = t.connection_id
where t.kind = 'REFUND' and t.status = 'SUCCESS' and not t.test and t.deleted_at is null;
