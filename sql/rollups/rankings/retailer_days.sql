-- One row per day and retailer of which anything is known. Each source is reduced to that key before they are joined.
with sales as (
  select w.day, s.*
  from wanted w
  cross join lateral (
    select retailer_id, currency, fx_cause, case when gross_sales - discounts - returns = 0 then 0 else
             fact.round_to_currency((gross_sales - discounts - returns) * fx_rate, reporting_currency) end as net_sales
    from agg.daily_sales
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) s
), sold as (
  select day, retailer_id, true as has_sales, case when count(*) = count(net_sales) then sum(net_sales) end as net_sales,
         min(fx_cause) filter (where net_sales is null) as fx_cause
  from sales
  group by 1, 2
), letters as (
  select w.day, e.*
  from wanted w
  cross join lateral (
    select owner_id as retailer_id, connection_id, campaign, counted_from, delivered, unique_opens, unique_clicks
    from agg.daily_email
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) e
), mailed as (
  select day, retailer_id, sum(delivered) as delivered, sum(unique_opens) as unique_opens,
         sum(unique_clicks) as unique_clicks
  from letters
  group by 1, 2
), readings as (
  -- A rate is of accounts that tell both.
  select w.day, p.retailer_id, s.connection_id, s.platform, s.impressions, s.engagement
  from wanted w
  cross join lateral (
    select connection_id, platform, impressions, fact.engagement(likes, comments, shares) as engagement from agg.daily_social
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) s
  join app.connections c on c.brand_id = $1 and c.id = s.connection_id
  join app.connection_parts p on p.brand_id = $1 and p.connection_id = c.id and p.part = c.account
  where s.impressions is not null and s.engagement is not null
), posted as (
  select day, retailer_id, sum(impressions) as impressions, sum(engagement) as engagement
  from readings
  group by 1, 2
), assets as (
  select w.day, a.*
  from wanted w
  cross join lateral (
    select owner_id as retailer_id, asset, views + downloads as asset_actions from agg.daily_assets
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) a
), used as (
  select day, retailer_id, sum(asset_actions) as asset_actions
  from assets
  group by 1, 2
)
select day, retailer_id, coalesce(s.has_sales, false) as has_sales,
       case when s.has_sales then trim_scale(s.net_sales) else 0 end as net_sales, b.reporting_currency, s.fx_cause,
       coalesce(m.delivered, 0)::bigint as delivered, coalesce(m.unique_opens, 0)::bigint as unique_opens,
       coalesce(m.unique_clicks, 0)::bigint as unique_clicks,
       coalesce(p.impressions, 0)::bigint as impressions, coalesce(p.engagement, 0)::bigint as engagement,
       coalesce(u.asset_actions, 0)::bigint as asset_actions
from sold s
full join mailed m using (day, retailer_id)
full join posted p using (day, retailer_id)
full join used u using (day, retailer_id)
join app.retailers r on r.brand_id = $1 and r.id = retailer_id and r.removing_at is null -- which the brand itself is none of
cross join (select reporting_currency from app.brands where id = $1) b
