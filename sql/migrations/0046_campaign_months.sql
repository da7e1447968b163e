-- Campaigns by month, so that what a campaign brought in years is read from few rows.

create table agg.campaign_months (
  brand_id uuid not null,
  day date not null,
  campaign_id uuid not null,
  reporting_currency text not null,
  spend numeric,
  attributed_orders bigint not null,
  attributed_revenue numeric,
  credited_orders bigint not null,
  credited_revenue numeric,
  fx_cause text,
  computed_at timestamptz not null,
  primary key (brand_id, day, campaign_id)
);
comment on table agg.campaign_months is 'daily_campaigns by month, in the reporting currency; campaign_id is the brand''s own for sales of none';
comment on column agg.campaign_months.day is 'first day of the month';
create index campaign_months_of_campaign on agg.campaign_months (brand_id, campaign_id);

insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values ('campaign_months', 'campaigns', '{daily_campaigns}', false);

-- What is stored already is added up by the next rollup of each brand.
insert into ops.marks (brand_id, subject, day, marked_at)
select distinct brand_id, 'daily_campaigns', date_trunc('month', day)::date, now() from agg.daily_campaigns;

-- Each side is reduced to one row per campaign before it is joined.
create or replace view bi.campaign_performance as
with sums as (
  select brand_id, campaign_id,
         case when bool_and(spend is not null)
              then fact.round_to_currency(sum(spend), max(reporting_currency)) end as spend,
         sum(attributed_orders)::bigint as attributed_orders,
         case when bool_and(attributed_revenue is not null)
              then fact.round_to_currency(sum(attributed_revenue), max(reporting_currency)) end as attributed_revenue,
         sum(credited_orders)::bigint as credited_orders,
         case when bool_and(credited_revenue is not null)
              then fact.round_to_currency(sum(credited_revenue), max(reporting_currency)) end as credited_revenue,
         min(fx_cause) as fx_cause, max(computed_at) as computed_at
  from agg.campaign_months
  group by brand_id, campaign_id
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
