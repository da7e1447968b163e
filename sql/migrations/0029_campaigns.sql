-- Campaigns: what was spent on them, what names them, and which orders are credited to them.

alter table app.brands add column attribution_hours integer not null default 168
  check (attribution_hours between 0 and 8760);
comment on column app.brands.attribution_hours is 'a touch may be credited with an order that is placed at most so many hours later, the last instant included';

create table app.campaigns (
  brand_id uuid not null references app.brands,
  id uuid not null default gen_random_uuid(),
  slug text not null,
  name text not null,
  starts_on date,
  ends_on date,
  budget numeric check (budget >= 0),
  budget_currency text check (budget_currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null default now(),
  primary key (brand_id, id),
  unique (brand_id, slug),
  check (id <> brand_id), -- which stands for no campaign in agg
  check (starts_on <= ends_on),
  check ((budget is null) = (budget_currency is null))
);
comment on table app.campaigns is 'campaigns of a brand';

create table app.campaign_spend (
  brand_id uuid not null,
  campaign_id uuid not null,
  day date not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  source text not null,
  amount numeric not null check (amount >= 0),
  changed_at timestamptz not null default now(),
  primary key (brand_id, day, campaign_id, currency, source),
  foreign key (brand_id, campaign_id) references app.campaigns
);
create index campaign_spend_of_campaign on app.campaign_spend (brand_id, campaign_id);
comment on table app.campaign_spend is 'what a campaign cost on a day; a day has a row for each source, such as a network, and their sum counts';

create table app.campaign_links (
  brand_id uuid not null,
  kind text not null check (kind in ('utm_campaign', 'discount_code', 'email_category', 'single_send', 'social_post', 'hashtag')),
  value text not null,
  campaign_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (brand_id, kind, value),
  foreign key (brand_id, campaign_id) references app.campaigns
);
create index campaign_links_of_campaign on app.campaign_links (brand_id, campaign_id);
comment on table app.campaign_links is 'what names a campaign: each value names one';
comment on column app.campaign_links.value is 'without outer blanks; utm_campaign, discount_code and hashtag in lower case, because people write them in any';

-- What an order says of where it came from, and who clicked.
alter table raw.shopify_orders add column utm_campaign text, add column visited_at timestamptz, add column person text;
comment on column raw.shopify_orders.utm_campaign is 'utm_campaign of the last visit before the order';
comment on column raw.shopify_orders.visited_at is 'when that visit was';
comment on column raw.shopify_orders.person is 'digest of the e-mail address of the order, as sql/tenants/persons.ts makes it';
alter table app.connections add column reads_persons boolean not null default false;
comment on column app.connections.reads_persons is 'whether e-mail addresses, which the provider protects, are asked for; only their digests are stored';
alter table raw.sendgrid_events add column clicker text;
comment on column raw.sendgrid_events.clicker is 'email_hash of a click of a person; null for other events, and for programs that follow links unasked';
create index sendgrid_events_of_clicker on raw.sendgrid_events (brand_id, connection_id, clicker, happened_at)
  where clicker is not null;

create function fact.link_name(p_text text) returns text
language sql immutable parallel safe as $$ select nullif(lower(btrim(p_text, E' \t\r\n\u00A0')), '') $$;
comment on function fact.link_name is 'what people write in any case and between blanks, as it is compared';

create view fact.placed_orders as
select brand_id, connection_id, id as order_id, processed_at as placed_at, currency, counted, customer_id, country, person,
       fact.link_name(utm_campaign) as utm_campaign, visited_at,
       array(select distinct fact.link_name(c) from unnest(discount_codes) c order by 1) as discount_codes
from raw.shopify_orders
where deleted_at is null and not test;

-- Clicks of persons, each with what it names.
create view fact.email_clicks as
select brand_id, connection_id, id as touch_id, clicker as person, happened_at as touched_at, single_send_id, categories
from raw.sendgrid_events
where clicker is not null and deleted_at is null;

create function fact.hashtags(p_text text) returns text[]
language sql immutable parallel safe as $$
  select coalesce(array_agg(distinct lower(m[1])), '{}') from regexp_matches(left(p_text, 10000), '#([[:alnum:]_]+)', 'g') m
$$;
comment on function fact.hashtags is 'hashtags of a text, without # and in lower case';

-- Posts that belong to a campaign: named by an operator, by the utm_campaign of their link, or by a hashtag.
create index ayrshare_posts_of_campaign on raw.ayrshare_posts
  (brand_id, connection_id, fact.link_name(campaign), published_at) where campaign is not null and deleted_at is null;

create view fact.campaign_posts as
select p.brand_id, p.connection_id, p.id as post_id, p.published_at, fact.link_name(p.campaign) as utm_campaign, l.campaign_id
from raw.ayrshare_posts p
cross join lateral (
  select k.campaign_id
  from app.campaign_links k
  where k.brand_id = p.brand_id
    and (k.kind = 'social_post' and k.value = p.id
      or k.kind = 'utm_campaign' and k.value = fact.link_name(p.campaign)
      or k.kind = 'hashtag' and k.value = any (fact.hashtags(p.text)))
  order by array_position(array['social_post', 'utm_campaign', 'hashtag'], k.kind), k.value
  limit 1
) l
where p.campaign is not null and p.deleted_at is null
union all
-- Without a link that names a campaign there is nothing to look up by.
select p.brand_id, p.connection_id, p.id, p.published_at, null, l.campaign_id
from raw.ayrshare_posts p
cross join lateral (
  select k.campaign_id
  from app.campaign_links k
  where k.brand_id = p.brand_id
    and (k.kind = 'social_post' and k.value = p.id or k.kind = 'hashtag' and k.value = any (fact.hashtags(p.text)))
  order by array_position(array['social_post', 'hashtag'], k.kind), k.value
  limit 1
) l
where p.campaign is null and p.deleted_at is null;

-- What each order brought on each day: sales of many lines are summed up once, for all figures that look at orders.
create table agg.order_days (
  brand_id uuid not null,
  day date not null,
  retailer_id uuid not null,
  connection_id uuid not null,
  order_id text not null,
  currency text not null,
  placed_at timestamptz not null,
  is_placed boolean not null,
  is_counted boolean not null,
  customer_id text,
  person text,
  country text not null,
  utm_campaign text,
  visited_at timestamptz,
  discount_codes text[] not null,
  units bigint not null,
  units_returned bigint not null,
  gross_sales numeric not null,
  discounts numeric not null,
  returns numeric not null,
  net_sales numeric not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, retailer_id, connection_id, order_id)
);
comment on table agg.order_days is 'what each order brought on each day: on its own day the sale, later edits and returns';
comment on column agg.order_days.is_placed is 'whether the day is the one on which the order was placed';
create index order_days_of_order on agg.order_days (brand_id, connection_id, order_id);
create index order_days_of_person on agg.order_days (brand_id, person, placed_at) where is_placed and person is not null;
create index order_days_of_utm on agg.order_days (brand_id, utm_campaign, placed_at) where is_placed and utm_campaign is not null;
create index order_days_of_customer on agg.order_days (brand_id, connection_id, customer_id, day) where customer_id is not null;

create table agg.order_credits (
  brand_id uuid not null,
  connection_id uuid not null,
  order_id text not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  is_counted boolean not null,
  net_sales numeric not null,
  campaign_id uuid not null,
  touch_kind text not null,
  touch text not null,
  touched_at timestamptz not null,
  touched_on date not null,
  computed_at timestamptz not null,
  primary key (brand_id, connection_id, order_id)
);
comment on table agg.order_credits is 'the one campaign that an order is credited to, with the touch that decides it';
comment on column agg.order_credits.day is 'the brand-local day of the order';
comment on column agg.order_credits.net_sales is 'what the order brought up to now, over all its days';
comment on column agg.order_credits.touched_on is 'the brand-local day of the touch';
create index order_credits_by_day on agg.order_credits (brand_id, day);
create index order_credits_by_touch on agg.order_credits (brand_id, touched_on);
create index order_credits_of_campaign on agg.order_credits (brand_id, campaign_id, day);

create table agg.daily_campaigns (
  brand_id uuid not null,
  day date not null,
  campaign_id uuid not null,
  currency text not null,
  spend numeric not null,
  attributed_orders bigint not null,
  attributed_revenue numeric not null,
  credited_orders bigint not null,
  credited_revenue numeric not null,
  reporting_currency text not null,
  fx_rate numeric,
  fx_day date,
  fx_cause text,
  computed_at timestamptz not null,
  primary key (brand_id, day, campaign_id, currency)
);
comment on table agg.daily_campaigns is 'spend and sales of campaigns by day; campaign_id is the brand''s own for sales of none';
create index daily_campaigns_of_campaign on agg.daily_campaigns (brand_id, campaign_id, day);

create index daily_sales_by_day on agg.daily_sales (brand_id, day);

-- Sums of one rollup that must equal those of another.
create table ops.figure_checks (
  brand_id uuid not null,
  rollup text not null,
  day date not null,
  currency text not null,
  expected numeric not null,
  found numeric not null,
  ok boolean not null generated always as (expected = found) stored,
  checked_at timestamptz not null,
  primary key (brand_id, rollup, day, currency)
);
create index figure_checks_failing on ops.figure_checks (brand_id, rollup, day) where not ok;
comment on table ops.figure_checks is 'sums of a rollup beside those that they must equal, for each day that it computed';
comment on column ops.figure_checks.checked_at is 'when the two were first as they are';

update ops.streams set feeds = feeds || '{campaigns}' where stream in ('shopify.orders', 'sendgrid.events', 'ayrshare.posts');
insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values ('order_days', 'sales', '{sales}', false),
       ('order_credits', 'campaigns', '{order_days,credits,links,clicks,post_campaigns}', false),
       ('daily_campaigns', 'campaigns', '{sales,order_days,order_credits,campaigns,fx}', true);

create view bi.daily_campaigns as
select a.brand_id, b.slug as brand, c.id as campaign_id, c.slug as campaign, c.name as campaign_name, a.day, a.currency,
       a.spend, a.attributed_orders, a.attributed_revenue, a.credited_orders, a.credited_revenue,
       round((a.attributed_revenue - a.spend) / nullif(a.spend, 0) * 100, 2) as roi_percentage,
       round(a.attributed_revenue / nullif(a.spend, 0), 4) as roas,
       a.reporting_currency, a.fx_rate, a.fx_cause,
       fact.round_to_currency(a.spend * a.fx_rate, a.reporting_currency) as spend_reporting,
       fact.round_to_currency(a.attributed_revenue * a.fx_rate, a.reporting_currency) as attributed_revenue_reporting,
       fact.round_to_currency(a.credited_revenue * a.fx_rate, a.reporting_currency) as credited_revenue_reporting,
       a.computed_at
from agg.daily_campaigns a
join app.brands b on b.id = a.brand_id
left join app.campaigns c on c.brand_id = a.brand_id and c.id = a.campaign_id
where c.id is not null or a.campaign_id = a.brand_id;

-- Each side is reduced to one row per campaign before it is joined.
create view bi.campaign_performance as
with sums as (
  select a.brand_id, a.campaign_id,
         case when bool_and(a.fx_rate is not null or a.spend = 0)
              then fact.round_to_currency(coalesce(sum(a.spend * a.fx_rate), 0), max(a.reporting_currency)) end as spend,
         sum(a.attributed_orders)::bigint as attributed_orders,
         case when bool_and(a.fx_rate is not null or a.attributed_revenue = 0)
              then fact.round_to_currency(coalesce(sum(a.attributed_revenue * a.fx_rate), 0), max(a.reporting_currency))
              end as attributed_revenue,
         sum(a.credited_orders)::bigint as credited_orders,
         case when bool_and(a.fx_rate is not null or a.credited_revenue = 0)
              then fact.round_to_currency(coalesce(sum(a.credited_revenue * a.fx_rate), 0), max(a.reporting_currency))
              end as credited_revenue,
         min(a.fx_cause) as fx_cause, max(a.computed_at) as computed_at
  from agg.daily_campaigns a
  group by a.brand_id, a.campaign_id
), mail as (
  select l.brand_id, l.campaign_id, sum(e.delivered)::bigint as delivered, sum(e.opens)::bigint as opens,
         sum(e.clicks)::bigint as clicks, sum(e.unsubscribes)::bigint as unsubscribes
  from app.campaign_links l
  join agg.daily_email e on e.brand_id = l.brand_id
   and e.campaign = case l.kind when 'single_send' then 'single_send:' when 'email_category' then 'category:' end || l.value
  group by l.brand_id, l.campaign_id
), social as (
  select p.brand_id, p.campaign_id, count(*) as posts, sum(s.impressions)::bigint as impressions,
         sum(s.likes)::bigint as likes, sum(s.comments)::bigint as comments, sum(s.shares)::bigint as shares
  from fact.campaign_posts p
  join agg.social_posts s on s.brand_id = p.brand_id and s.connection_id = p.connection_id and s.post_id = p.post_id
  group by p.brand_id, p.campaign_id
)
select c.brand_id, b.slug as brand, c.id as campaign_id, c.slug as campaign, c.name as campaign_name,
       case when c.starts_on > t.day then 'planned' when c.ends_on < t.day then 'ended' else 'active' end as status,
       c.starts_on, c.ends_on, c.budget, c.budget_currency, b.reporting_currency,
       case when s.campaign_id is null then 0 else s.spend end as spend,
       coalesce(s.attributed_orders, 0) as attributed_orders,
       case when s.campaign_id is null then 0 else s.attributed_revenue end as attributed_revenue,
       coalesce(s.credited_orders, 0) as credited_orders,
       case when s.campaign_id is null then 0 else s.credited_revenue end as credited_revenue,
       round((s.attributed_revenue - s.spend) / nullif(s.spend, 0) * 100, 2) as roi_percentage,
       round(s.attributed_revenue / nullif(s.spend, 0), 4) as roas,
       m.delivered, m.opens, m.clicks, m.unsubscribes, o.posts, o.impressions,
       fact.engagement(o.likes, o.comments, o.shares) as engagement,
       s.fx_cause, s.computed_at
from app.campaigns c
join app.brands b on b.id = c.brand_id
cross join lateral (select (now() at time zone b.time_zone)::date as day) t
left join sums s on s.brand_id = c.brand_id and s.campaign_id = c.id
left join mail m on m.brand_id = c.brand_id and m.campaign_id = c.id
left join social o on o.brand_id = c.brand_id and o.campaign_id = c.id;

create view bi.order_credits as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, n.name as connection, a.order_id, a.day, a.currency,
       a.net_sales, c.id as campaign_id, c.slug as campaign, a.touch_kind, a.touch, a.touched_at, a.touched_on, a.computed_at
from agg.order_credits a
join app.brands b on b.id = a.brand_id
join app.connections n on n.brand_id = a.brand_id and n.id = a.connection_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
join app.campaigns c on c.brand_id = a.brand_id and c.id = a.campaign_id;

comment on view bi.daily_campaigns is 'Spend and sales of campaigns per day and currency, with a row of what is credited to none: attributed_revenue of all rows of a day adds up to its net sales.';
comment on column bi.daily_campaigns.brand_id is 'id of the brand';
comment on column bi.daily_campaigns.brand is 'short name of the brand';
comment on column bi.daily_campaigns.campaign_id is 'id of the campaign; null for what is credited to none';
comment on column bi.daily_campaigns.campaign is 'short name of the campaign; null as campaign_id';
comment on column bi.daily_campaigns.campaign_name is 'name of the campaign';
comment on column bi.daily_campaigns.day is 'day in the brand''s time zone';
comment on column bi.daily_campaigns.currency is 'ISO 4217 code of all amounts in the row without another';
comment on column bi.daily_campaigns.spend is 'what the campaign cost that day';
comment on column bi.daily_campaigns.attributed_orders is 'counted orders placed that day that are credited to the campaign; each order is credited once, to its last touch within the window of the brand';
comment on column bi.daily_campaigns.attributed_revenue is 'net sales that such orders brought that day: sales on the day of the order, returns and edits on their own (cash basis)';
comment on column bi.daily_campaigns.credited_orders is 'counted orders whose deciding touch was on that day (accrual basis)';
comment on column bi.daily_campaigns.credited_revenue is 'net sales up to now of orders whose deciding touch was on that day (accrual basis)';
comment on column bi.daily_campaigns.roi_percentage is '(attributed_revenue - spend) / spend * 100, 2 decimal places; null without spend. NOT ADDITIVE: divide the sums';
comment on column bi.daily_campaigns.roas is 'attributed_revenue / spend, 4 decimal places; null without spend. NOT ADDITIVE: divide the sums';
comment on column bi.daily_campaigns.reporting_currency is 'the brand''s currency for consolidated figures';
comment on column bi.daily_campaigns.fx_rate is 'units of the reporting currency per unit of currency on the day; null without a rate';
comment on column bi.daily_campaigns.fx_cause is 'why there is no rate: no_rate or stale_rate';
comment on column bi.daily_campaigns.spend_reporting is 'spend in the reporting currency';
comment on column bi.daily_campaigns.attributed_revenue_reporting is 'attributed_revenue in the reporting currency';
comment on column bi.daily_campaigns.credited_revenue_reporting is 'credited_revenue in the reporting currency';
comment on column bi.daily_campaigns.computed_at is 'when the figures of this row last changed';
comment on view bi.campaign_performance is 'What each campaign cost and brought in all, in the reporting currency of the brand at the rates of each day.';
comment on column bi.campaign_performance.brand_id is 'id of the brand';
comment on column bi.campaign_performance.brand is 'short name of the brand';
comment on column bi.campaign_performance.campaign_id is 'id of the campaign';
comment on column bi.campaign_performance.campaign is 'short name of the campaign';
comment on column bi.campaign_performance.campaign_name is 'name of the campaign';
comment on column bi.campaign_performance.status is 'planned before its first day, ended after its last, else active; by today in the brand''s time zone';
comment on column bi.campaign_performance.starts_on is 'first day; null: not said';
comment on column bi.campaign_performance.ends_on is 'last day; null: not said';
comment on column bi.campaign_performance.budget is 'what it may cost in all';
comment on column bi.campaign_performance.budget_currency is 'currency of the budget';
comment on column bi.campaign_performance.reporting_currency is 'currency of all other amounts';
comment on column bi.campaign_performance.spend is 'what it cost; null if a rate is missing';
comment on column bi.campaign_performance.attributed_orders is 'counted orders credited to it';
comment on column bi.campaign_performance.attributed_revenue is 'net sales of orders credited to it, by the days on which they were booked; null if a rate is missing';
comment on column bi.campaign_performance.credited_orders is 'the same orders by the day of the touch';
comment on column bi.campaign_performance.credited_revenue is 'net sales of these orders, by the day of the touch and its rate';
comment on column bi.campaign_performance.roi_percentage is '(attributed_revenue - spend) / spend * 100, 2 decimal places; null without spend';
comment on column bi.campaign_performance.roas is 'attributed_revenue / spend, 4 decimal places; null without spend';
comment on column bi.campaign_performance.delivered is 'letters of its mailings, and of its categories where these come first, that arrived; null if none is linked. Where only the provider''s own counts are known, a letter in two linked categories is in both';
comment on column bi.campaign_performance.opens is 'times that these were opened';
comment on column bi.campaign_performance.clicks is 'clicks in these';
comment on column bi.campaign_performance.unsubscribes is 'persons who unsubscribed by these';
comment on column bi.campaign_performance.posts is 'posts that belong to it; null if none';
comment on column bi.campaign_performance.impressions is 'impressions of these posts';
comment on column bi.campaign_performance.engagement is 'likes + comments + shares of these posts';
comment on column bi.campaign_performance.fx_cause is 'why a rate is missing on some day';
comment on column bi.campaign_performance.computed_at is 'when its figures last changed';
comment on view bi.order_credits is 'The campaign to which an order is credited, and the touch that decides it. An order without a row is credited to none.';
comment on column bi.order_credits.brand_id is 'id of the brand';
comment on column bi.order_credits.brand is 'short name of the brand';
comment on column bi.order_credits.retailer_id is 'id of the retailer of the shop';
comment on column bi.order_credits.retailer is 'short name of the retailer';
comment on column bi.order_credits.connection is 'name of the connection to the shop';
comment on column bi.order_credits.order_id is 'id of the order in the shop';
comment on column bi.order_credits.day is 'day of the order in the brand''s time zone';
comment on column bi.order_credits.currency is 'ISO 4217 code of net_sales';
comment on column bi.order_credits.net_sales is 'what the order brought up to now, returns taken off';
comment on column bi.order_credits.campaign_id is 'id of the campaign';
comment on column bi.order_credits.campaign is 'short name of the campaign';
comment on column bi.order_credits.touch_kind is 'discount_code, utm_campaign, email_click or social_post; of two touches at one instant the first in this order counts';
comment on column bi.order_credits.touch is 'the code, the utm_campaign, or the id of the click or post';
comment on column bi.order_credits.touched_at is 'when the touch was: an order''s own code counts at the order';
comment on column bi.order_credits.touched_on is 'the same as a day in the brand''s time zone';
comment on column bi.order_credits.computed_at is 'when the credit last changed';
comment on column bi.completeness.source is 'which figures: sales (daily_sales, daily_country_sales), product_sales (daily_product_sales), payments (daily_payments), mrr (daily_mrr), social (daily_social, social_posts), email (daily_email) or campaigns (daily_campaigns, order_credits)';
