-- A year of one brand as large as the built-in data and of the same shape: 26,180 orders with about
-- 540,000 lines in five shops, nine tenths of them in the first, returns of one line in fifty, and a
-- seventh of the orders without customer. Nothing in it is random: a hash decides.
create function public.choice(seed bigint, below bigint) returns bigint language sql immutable
return (hashint8(seed)::bigint + 2147483648) % below;

with brand as (
  insert into app.brands (slug, name, time_zone, reporting_currency)
  values ('bench', 'Bench', 'Europe/London', 'GBP') returning id
), retailer as (
  insert into app.retailers (brand_id, slug, name)
  select brand.id, slug, slug from brand, unnest(array['uk', 'germany', 'france', 'eire', 'rest']) slug
  returning brand_id, id, slug
)
insert into app.connections (brand_id, retailer_id, name, provider, account, base_url, auth, secret, secret_key_id)
select brand_id, id, slug, 'shopify', slug, 'http://127.0.0.1', 'token', '', 'none' from retailer;

create table public.placed as
select i as id, c.brand_id, c.id as connection_id,
       timestamptz '2010-12-01 08:00Z' + i / 70 * interval '1 day' + i % 70 * interval '8 minutes' as at,
       1 + choice(i, 40) as lines,
       case when choice(i + 1000000, 7) > 0 then choice(i + 2000000, 4300)::text end as customer_id,
       case c.name when 'uk' then 'GB' when 'germany' then 'DE' when 'france' then 'FR' when 'eire' then 'IE'
            else (array['NL', 'ES', 'BE', 'CH', 'PT', 'AU', 'NO', 'IT'])[1 + choice(i, 8)] end as country
from generate_series(1::bigint, 26180) i
join app.connections c on c.name = case
  when choice(i + 3000000, 1000) < 910 then 'uk'
  else (array['germany', 'france', 'eire', 'rest'])[1 + choice(i + 4000000, 4)] end;

create table public.sold as
select p.brand_id, p.connection_id, p.id as order_id, p.at, p.id * 100 + l as id,
       choice(p.id * 100 + l, 3900)::text as variant_id,
       1 + choice(p.id * 100 + l + 5000000, 12) as quantity,
       (50 + choice(p.id * 100 + l + 6000000, 1200))::numeric / 100 as price,
       choice(p.id * 100 + l + 7000000, 50) = 0 as returned
from public.placed p, generate_series(1, p.lines) l;

insert into raw.shopify_orders
  (brand_id, connection_id, id, name, processed_at, created_at, test, counted, currency, presentment_currency,
   taxes_included, customer_id, country, discount_codes, total_price, current_total_price, total_refunded,
   changed_at, seen_at)
select brand_id, connection_id, id, '#' || id, at, at, false, true, 'GBP', 'GBP', false, customer_id, country, '{}',
       0, 0, 0, at, at
from public.placed;

insert into raw.shopify_order_lines
  (brand_id, connection_id, id, order_id, product_id, variant_id, sku, title, quantity, current_quantity,
   is_gift_card, currency, unit_price, changed_at, seen_at)
select brand_id, connection_id, id, order_id, variant_id, variant_id, 'S' || variant_id, 'Product ' || variant_id,
       quantity, quantity, false, 'GBP', price, at, at
from public.sold;

insert into raw.shopify_sales
  (brand_id, connection_id, id, order_id, agreement_id, reason, booked_at, action_type, line_type, line_id,
   quantity, currency, total_amount, tax_amount, discount_amount, changed_at, seen_at)
select brand_id, connection_id, id, order_id, order_id, 'ORDER', at, 'ORDER', 'PRODUCT', id,
       quantity, 'GBP', quantity * price, 0, 0, at, at
from public.sold
union all
select brand_id, connection_id, -id, order_id, -order_id, 'REFUND', at + interval '9 days', 'RETURN', 'PRODUCT', id,
       -quantity, 'GBP', -quantity * price, 0, 0, at, at
from public.sold where returned;

insert into raw.shopify_transactions
  (brand_id, connection_id, id, order_id, kind, status, test, processed_at, currency, amount, changed_at, seen_at)
select brand_id, connection_id, -id, order_id, 'REFUND', 'SUCCESS', false, at + interval '9 days', 'GBP',
       quantity * price, at, at
from public.sold where returned;

insert into raw.shopify_costs
  (brand_id, connection_id, id, valid_from, product_id, currency, cost, changed_at, seen_at)
select c.brand_id, c.id, v, timestamptz '2010-11-01Z', v, 'GBP', (20 + choice(v, 500))::numeric / 100,
       '2010-11-01Z', '2010-11-01Z'
from app.connections c, generate_series(0, 3899) v;

drop table public.placed, public.sold;
drop function public.choice;
