-- A year of one brand with a million orders of 200,000 persons, and five million clicks of these in letters of 52
-- mailings, of which each second one belongs to one of eight campaigns. One order in ten came by a link that names a
-- campaign, one in twenty used a code. Nothing in it is random: a hash decides.
create function public.choice(seed bigint, below bigint) returns bigint language sql immutable
return (hashint8(seed)::bigint + 2147483648) % below;

with brand as (
  insert into app.brands (slug, name, time_zone, reporting_currency)
  values ('bench', 'Bench', 'Europe/London', 'GBP') returning id
), retailer as (
  insert into app.retailers (brand_id, slug, name) select id, 'uk', 'uk' from brand returning brand_id, id
), shop as (
  insert into app.connections (brand_id, retailer_id, name, provider, account, base_url, auth, secret, secret_key_id)
  select brand_id, id, 'shop', 'shopify', 'shop', 'http://127.0.0.1', 'token', '', 'none' from retailer
)
insert into app.connections (brand_id, name, provider, account, base_url, auth, secret, secret_key_id, level)
select id, 'mail', 'sendgrid', 'mail', 'http://127.0.0.1', 'key', '', 'none', 'brand' from brand;

insert into app.campaigns (brand_id, slug, name) select b.id, 'c' || n, 'c' || n from app.brands b, generate_series(0, 7) n;
insert into app.campaign_links (brand_id, kind, value, campaign_id)
select c.brand_id, l.kind, l.value, c.id
from app.campaigns c
cross join lateral (
  select 'utm_campaign' as kind, c.slug as value
  union all select 'discount_code', 'code-' || c.slug
  union all select 'single_send', 's' || n from generate_series(0, 51, 2) n where 'c' || n % 8 = c.slug
) l;

insert into raw.shopify_orders
  (brand_id, connection_id, id, name, processed_at, created_at, test, counted, currency, presentment_currency,
   taxes_included, customer_id, country, discount_codes, total_price, current_total_price, total_refunded,
   utm_campaign, visited_at, person, changed_at, seen_at)
select c.brand_id, c.id, i, '#' || i, o.at, o.at, false, true, 'GBP', 'GBP', false, null, 'GB',
       case when choice(i + 1, 20) = 0 then array['CODE-C' || choice(i, 8)] else '{}' end, 0, 0, 0,
       case when choice(i + 2, 10) = 0 then 'c' || choice(i + 3, 8) end, o.at - choice(i + 4, 200) * interval '1 hour',
       'p' || choice(i + 5, :persons), o.at, o.at
from app.connections c
cross join generate_series(1::bigint, :orders) i
cross join lateral (select timestamptz '2025-01-01' + i * interval '1 year' / :orders as at) o
where c.name = 'shop';

insert into raw.shopify_sales
  (brand_id, connection_id, id, order_id, agreement_id, reason, booked_at, action_type, line_type, line_id,
   quantity, currency, total_amount, tax_amount, discount_amount, changed_at, seen_at)
select brand_id, connection_id, id, id, id, 'ORDER', processed_at, 'ORDER', 'PRODUCT', null, 1, 'GBP', 10, 0, 0,
       processed_at, processed_at
from raw.shopify_orders;

insert into raw.sendgrid_events
  (brand_id, connection_id, id, event, happened_at, email_hash, clicker, categories, parts, single_send_id, is_machine,
   source, changed_at, seen_at)
select c.brand_id, c.id, 'e' || i, 'click', e.at, e.person, e.person, '{}', '{}', 's' || choice(i + 6, 52), false, 'webhook',
       e.at, e.at
from app.connections c
cross join generate_series(1::bigint, :clicks) i
cross join lateral (
  select timestamptz '2025-01-01' + i * interval '1 year' / :clicks as at, 'p' || choice(i + 7, :persons) as person
) e
where c.name = 'mail';
