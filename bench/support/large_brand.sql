-- A brand of :retailers retailers with a shop each and :days days: one order a day and shop, one in twenty returned after nine
-- days, every fourth shop in euros, 500 customers a shop, one order in ten by a link that names one of 20 campaigns.
-- Mail of each week and posts of each day stand in agg at once: what is measured reads them and does not make them.
-- Nothing in it is random: a hash decides.
create function public.choice(seed bigint, below bigint) returns bigint language sql immutable
return (hashint8(seed)::bigint + 2147483648) % below;

with brand as (
  insert into app.brands (slug, name, time_zone, reporting_currency)
  values ('large', 'Large', 'Europe/London', 'GBP') returning id
), retailer as (
  insert into app.retailers (brand_id, slug, name)
  select id, 'r' || n, 'r' || n from brand, generate_series(1, :retailers) n returning brand_id, id, slug
), shop as (
  insert into app.connections (brand_id, retailer_id, name, provider, account, base_url, auth, secret, secret_key_id)
  select brand_id, id, slug, 'shopify', slug, 'http://127.0.0.1', 'token', '', 'none' from retailer
)
insert into app.connections (brand_id, name, provider, account, base_url, auth, secret, secret_key_id, level)
select id, a.name, a.provider, a.account, 'http://127.0.0.1', 'key', '', 'none', 'brand'
from (
  select id, 'mail' as name, 'sendgrid' as provider, 'mail' as account from brand
  union all
  select brand_id, 'social-' || slug, 'ayrshare', slug from retailer
) a;

insert into app.connection_parts (brand_id, connection_id, part, retailer_id)
select c.brand_id, c.id, c.account, r.id
from app.connections c join app.retailers r on r.brand_id = c.brand_id and r.slug = c.account
where c.provider = 'ayrshare';

insert into app.campaigns (brand_id, slug, name) select b.id, 'c' || n, 'c' || n from app.brands b, generate_series(0, 19) n;
insert into app.campaign_links (brand_id, kind, value, campaign_id)
select brand_id, 'utm_campaign', slug, id from app.campaigns;

create table public.calendar as
select d::date as day from generate_series(timestamp :last_day - (:days - 1) * interval '1 day', timestamp :last_day, '1 day') d;

insert into app.fx_rates (currency, day, units_per_euro, source, seen_at)
select 'GBP', day, 0.8 + choice(day - date '2000-01-01', 100) / 1000.0, 'ecb', now() from public.calendar;
insert into app.campaign_spend (brand_id, campaign_id, day, currency, source, amount)
select c.brand_id, c.id, d.day, 'GBP', 'ads', 5 + choice(d.day - date '2000-01-01', 10)
from app.campaigns c cross join public.calendar d;

create table public.placed as
select (row_number() over (order by c.id, d.day))::text as id, c.brand_id, c.id as connection_id,
       (d.day + time '10:00' + n * interval '1 second') at time zone 'UTC' as at, n as shop, d.day - date '2000-01-01' as day_number,
       case when n % 4 = 0 then 'EUR' else 'GBP' end as currency
from app.connections c
join app.retailers r on r.brand_id = c.brand_id and r.id = c.retailer_id
cross join lateral (select substr(r.slug, 2)::bigint as n) s
cross join public.calendar d;

insert into raw.shopify_orders
  (brand_id, connection_id, id, name, processed_at, created_at, test, counted, currency, presentment_currency,
   taxes_included, customer_id, country, discount_codes, total_price, current_total_price, total_refunded,
   utm_campaign, visited_at, changed_at, seen_at)
select brand_id, connection_id, id, '#' || id, at, at, false, true, currency, currency, false,
       (1 + choice(shop * 10007 + day_number, 500))::text,
       (array['GB', 'DE', 'FR', 'IE', 'NL'])[1 + choice(shop * 10009 + day_number, 5)], '{}', 0, 0, 0,
       case when choice(shop * 10037 + day_number, 10) = 0 then 'c' || choice(shop + day_number, 20) end, at, at, at
from public.placed;

insert into raw.shopify_order_lines
  (brand_id, connection_id, id, order_id, product_id, variant_id, sku, title, quantity, current_quantity,
   is_gift_card, currency, unit_price, changed_at, seen_at)
select brand_id, connection_id, id, id, v, v, 'S' || v, 'Product ' || v, 1, 1, false, currency, 10, at, at
from public.placed cross join lateral (select choice(shop * 10039 + day_number, 300)::text as v) o;

insert into raw.shopify_sales
  (brand_id, connection_id, id, order_id, agreement_id, reason, booked_at, action_type, line_type, line_id,
   quantity, currency, total_amount, tax_amount, discount_amount, changed_at, seen_at)
select brand_id, connection_id, id, id, id, 'ORDER', at, 'ORDER', 'PRODUCT', id, 1, currency,
       10 + choice(shop * 10061 + day_number, 5000) / 100.0, 0, 0, at, at
from public.placed
union all
select brand_id, connection_id, '-' || id, id, '-' || id, 'REFUND', at + interval '9 days', 'RETURN', 'PRODUCT', id, -1, currency,
       -10 - choice(shop * 10061 + day_number, 5000) / 100.0, 0, 0, at, at
from public.placed where choice(shop * 10067 + day_number, 20) = 0 and at < timestamp :last_day - interval '9 days';

insert into agg.daily_email (brand_id, day, owner_id, connection_id, campaign, counted_from, time_zone, requests, delivered,
  bounces, blocks, opens, unique_opens, machine_opens, clicks, unique_clicks, spam_reports, unsubscribes, computed_at)
select r.brand_id, d.day, r.id, c.id, 'category:weekly', 'events', 'Europe/London', 1000, 990, 8, 2, 400, 300 + n % 50, 50, 60,
       40 + n % 20, 1, 3, now()
from app.retailers r
cross join lateral (select substr(r.slug, 2)::int as n) s
join app.connections c on c.brand_id = r.brand_id and c.name = 'mail'
cross join public.calendar d
where extract(isodow from d.day) = 1;

insert into agg.daily_social (brand_id, connection_id, platform, day, followers, followers_gained, days_since_reading, impressions,
  reach, likes, comments, shares, saves, clicks, video_views, posts, posts_first_read, engagement_first_read, falls,
  engagement_fallen, breaks, computed_at)
select c.brand_id, c.id, 'facebook', d.day, 1000 + d.day - date '2000-01-01', 1, 1, 500, 400, 20 + choice(d.day - date '2000-01-01', 9),
       3, 2, 1, 10, 50, 1, 1, 0, 0, 0, 0, now()
from app.connections c cross join public.calendar d
where c.provider = 'ayrshare';

insert into ops.positions (brand_id, connection_id, stream, position, state, last_run_at, last_success_at, whole_by_clock_at,
  complete_to, updated_at)
select c.brand_id, c.id, s.stream, '{}', 'ok', t.at, t.at, t.at, t.at, t.at
from app.connections c
join ops.streams s on s.provider = c.provider
cross join (select timestamp :last_day + interval '30 hours' as at) t;

drop table public.placed, public.calendar;
