-- Rankings of the retailers of a brand.

-- Attributed sales by retailer.
create table agg.campaign_sales (
  brand_id uuid not null,
  day date not null,
  campaign_id uuid not null,
  retailer_id uuid not null,
  currency text not null,
  attributed_orders bigint not null,
  attributed_revenue numeric not null,
  reporting_currency text not null,
  fx_rate numeric,
  fx_day date,
  fx_cause text,
  computed_at timestamptz not null,
  primary key (brand_id, day, campaign_id, retailer_id, currency)
);
comment on table agg.campaign_sales is 'what orders of a retailer that are credited to a campaign brought on a day';

create table agg.retailer_days (
  brand_id uuid not null,
  day date not null,
  retailer_id uuid not null,
  has_sales boolean not null,
  net_sales numeric,
  reporting_currency text not null,
  fx_cause text,
  delivered bigint not null,
  unique_opens bigint not null,
  unique_clicks bigint not null,
  impressions bigint not null,
  engagement bigint not null,
  asset_actions bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, retailer_id)
);
create index retailer_days_sold on agg.retailer_days (brand_id, day) where has_sales;
comment on table agg.retailer_days is 'what a ranking is made of, one row per day and retailer: a period adds up a few narrow rows';
comment on column agg.retailer_days.has_sales is 'whether agg.daily_sales has a row of the day';
comment on column agg.retailer_days.net_sales is 'in the reporting currency, each currency at the rate of the day and rounded to its smallest unit; null if a rate is missing';
comment on column agg.retailer_days.impressions is 'of those accounts that tell impressions and engagement';

create table agg.retailer_rankings (
  brand_id uuid not null,
  period text not null check (period in ('day', 'week', 'month')),
  day date not null,
  retailer_id uuid not null,
  is_complete boolean not null,
  net_sales numeric,
  previous_net_sales numeric,
  growth numeric,
  attributed_orders bigint not null,
  attributed_revenue numeric,
  spend numeric,
  roi_percentage numeric,
  delivered bigint not null,
  unique_opens bigint not null,
  unique_clicks bigint not null,
  open_rate numeric,
  click_rate numeric,
  conversion_rate numeric,
  impressions bigint not null,
  engagement bigint not null,
  asset_actions bigint not null,
  engagement_rate numeric,
  components jsonb not null,
  score numeric,
  rank bigint,
  retailers bigint not null,
  grade text,
  needs_attention boolean not null,
  is_top_performer boolean not null,
  reasons text[] not null,
  reporting_currency text not null,
  fx_cause text,
  computed_at timestamptz not null,
  primary key (brand_id, period, day, retailer_id)
);
comment on table agg.retailer_rankings is 'retailers of a brand beside one another, by day, week and month; day is the first one of the period';

alter table app.campaigns add column retailer_id uuid, add foreign key (brand_id, retailer_id) references app.retailers;
create index campaigns_of_retailer on app.campaigns (brand_id, retailer_id) where retailer_id is not null;
comment on column app.campaigns.retailer_id is 'the retailer that its spend is for; null: it is divided among those to whom it brought sales';

-- The components of a score. This list is the only one: a further one is a line here and one in retailer_rankings.sql.
create view fact.ranking_components as
select component, weight, position
from (values
  ('net_sales', 30::numeric, 1),
  ('growth', 20, 2),
  ('roi_percentage', 15, 3),
  ('conversion_rate', 10, 4),
  ('open_rate', 5, 5),
  ('click_rate', 10, 6),
  ('engagement_rate', 10, 7),
  ('asset_actions', 5, 8)
) as c (component, weight, position);
comment on view fact.ranking_components is 'components of the score of a retailer, with the weight of each where a brand has set none';

create table app.ranking_weights (
  brand_id uuid not null references app.brands,
  component text not null,
  weight numeric not null check (weight between 0 and 100),
  changed_at timestamptz not null default now(),
  primary key (brand_id, component)
);
comment on table app.ranking_weights is 'weights of components that a brand has set; the others are those of fact.ranking_components';

update ops.streams set feeds = feeds || '{rankings}' where feeds && '{sales,email,social}';
insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values ('campaign_sales', 'campaigns', '{sales,order_days,order_credits,campaigns,fx}', true),
       ('retailer_days', 'rankings', '{sales,daily_sales,email,daily_email,social,daily_social,daily_assets}', false),
       ('retailer_rankings', 'rankings', '{retailer_days,campaign_sales,daily_campaigns,campaigns,rankings}', false);

-- What is there already is computed by the next rollup of each brand.
insert into ops.marks (brand_id, subject, day, marked_at)
select distinct brand_id, 'daily_sales', day, now() from agg.daily_sales
union all
select distinct brand_id, 'daily_sales', day, now() from agg.daily_email
union all
select distinct brand_id, 'daily_sales', day, now() from agg.daily_social
union all
select distinct brand_id, 'campaigns', day, now() from agg.order_days where brand_id in (select brand_id from app.campaigns);

create view bi.retailer_rankings as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.period, a.day as period_start,
       (a.day + ('1 ' || a.period)::interval)::date - 1 as period_end, a.is_complete,
       a.net_sales, a.previous_net_sales, a.growth, a.attributed_orders, a.attributed_revenue, a.spend, a.roi_percentage,
       a.delivered, a.unique_opens, a.unique_clicks, a.open_rate, a.click_rate, a.conversion_rate,
       a.impressions, a.engagement, a.engagement_rate, a.asset_actions,
       a.components, a.score, a.rank, a.retailers, a.grade,
       a.needs_attention, a.is_top_performer, a.reasons, a.reporting_currency, a.fx_cause, a.computed_at
from agg.retailer_rankings a
join app.brands b on b.id = a.brand_id
join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id;

comment on view bi.retailer_rankings is 'Retailers of a brand beside one another, by day, ISO week and month of the brand''s time zone. A retailer has a row if anything of it happened in the period, or if it sold in the period before, once the brand has sold in this one.';
comment on column bi.retailer_rankings.brand_id is 'id of the brand';
comment on column bi.retailer_rankings.brand is 'short name of the brand';
comment on column bi.retailer_rankings.retailer_id is 'id of the retailer';
comment on column bi.retailer_rankings.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.retailer_rankings.period is 'day, week (from Monday, ISO 8601) or month';
comment on column bi.retailer_rankings.period_start is 'first day of the period, in the brand''s time zone';
comment on column bi.retailer_rankings.period_end is 'last day of the period';
comment on column bi.retailer_rankings.is_complete is 'whether the brand has sales of a later day than the period, which has come; without, it counts as under way';
comment on column bi.retailer_rankings.net_sales is 'net sales in the reporting currency: the sum of net_sales_reporting of bi.daily_sales; null if a rate is missing';
comment on column bi.retailer_rankings.previous_net_sales is 'net sales of the period before: of all of it, or while this one is under way of as many days as it has up to the last one on which the brand sold anything';
comment on column bi.retailer_rankings.growth is '(net_sales - previous_net_sales) / previous_net_sales * 100, 2 decimal places; null unless the period before has net sales above zero';
comment on column bi.retailer_rankings.attributed_orders is 'counted orders of the retailer that are credited to a campaign';
comment on column bi.retailer_rankings.attributed_revenue is 'what orders that are credited to a campaign brought in the period, in the reporting currency at the rates of each day; null if a rate is missing';
comment on column bi.retailer_rankings.spend is 'spend of campaigns of the retailer, and its share in that of campaigns for all: divided by what a campaign brought each retailer in the period, as far as that is above zero. What a campaign costs that brought nobody anything is in no row. In the reporting currency; null if a rate is missing';
comment on column bi.retailer_rankings.roi_percentage is '(attributed_revenue - spend) / spend * 100, 2 decimal places; null without spend';
comment on column bi.retailer_rankings.delivered is 'letters of the retailer that arrived';
comment on column bi.retailer_rankings.unique_opens is 'letters opened, each once a day';
comment on column bi.retailer_rankings.unique_clicks is 'letters with a click, each once a day';
comment on column bi.retailer_rankings.open_rate is 'unique_opens / delivered, 4 decimal places; may exceed 1, null without deliveries';
comment on column bi.retailer_rankings.click_rate is 'unique_clicks / delivered; as open_rate';
comment on column bi.retailer_rankings.conversion_rate is 'attributed_orders / delivered; as open_rate';
comment on column bi.retailer_rankings.impressions is 'impressions on social networks of accounts that tell engagement too';
comment on column bi.retailer_rankings.engagement is 'likes + comments + shares of accounts that tell impressions too';
comment on column bi.retailer_rankings.engagement_rate is 'engagement / impressions, 4 decimal places; null without impressions';
comment on column bi.retailer_rankings.asset_actions is 'views and downloads of assets; a component of the score where there is any';
comment on column bi.retailer_rankings.components is 'of each component that the retailer has, by name of its column: percentile, the share of the other retailers with this component that it exceeds, in percent, those that equal it counted half (50 if there is no other), and the weight of the brand';
comment on column bi.retailer_rankings.score is 'mean of the percentiles by their weights, 2 decimal places, from 0 to 100; a missing component leaves its weight to the others. Null if none with a weight is there';
comment on column bi.retailer_rankings.rank is 'place by score, the highest first; equal scores share one, and the next ones are left out (1, 2, 2, 4)';
comment on column bi.retailer_rankings.retailers is 'how many retailers of the brand have a rank in the period';
comment on column bi.retailer_rankings.grade is 'A from a score of 80 on, B from 60, C from 40, D from 20, else F';
comment on column bi.retailer_rankings.needs_attention is 'whether the grade is F; net sales of a complete week or month are 20 % or more below those of the one before; campaigns cost more than they brought; or net sales are below zero';
comment on column bi.retailer_rankings.is_top_performer is 'whether it is among the first tenth of two or more retailers (at least the first), with a score of 60 or more, and needs no attention';
comment on column bi.retailer_rankings.reasons is 'which of the rules of needs_attention and is_top_performer hold, with their numbers';
comment on column bi.retailer_rankings.reporting_currency is 'currency of all amounts in the row';
comment on column bi.retailer_rankings.fx_cause is 'why a rate of net_sales is missing on some day: no_rate or stale_rate';
comment on column bi.retailer_rankings.computed_at is 'when the row last changed';
