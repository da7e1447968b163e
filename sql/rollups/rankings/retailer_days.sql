-- One row per day and retailer of which anything is known. Each source is reduced to that key before they are joined.
with sold as (
  select w.day, s.retailer_id, true as has_sales,
         case when count(*) = count(s.net_sales) then sum(s.net_sales) end as net_sales,
         min(s.fx_cause) filter (where s.net_sales is null) as fx_cause
  from wanted w
  cross join lateral (
    select retailer_id, fx_cause, case when gross_sales - discounts - returns = 0 then 0 else
             fact.round_to_currency((gross_sales - discounts - returns) * fx_rate, reporting_currency) end as net_sales
    from agg.daily_sales
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) s
  group by 1, 2
), mailed as (
  select w.day, e.owner_id as retailer_id, sum(e.delivered) as delivered, sum(e.unique_opens) as unique_opens,
         sum(e.unique_clicks) as unique_clicks
  from wanted w
  cross join lateral (
    select * from agg.daily_email
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) e
  group by 1, 2
), posted as (
  -- A rate is of accounts that tell both.
  select w.day, p.retailer_id, sum(s.impressions) as impressions, sum(s.engagement) as engagement
  from wanted w
  cross join lateral (
    select connection_id, impressions, fact.engagement(likes, comments, shares) as engagement from agg.daily_social
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) s
  join app.connections c on c.brand_id = $1 and c.id = s.connection_id
  join app.connection_parts p on p.brand_id = $1 and p.connection_id = c.id and p.part = c.account
  where s.impressions is not null and s.engagement is not null
  group by 1, 2
)
select day, retailer_id, coalesce(s.has_sales, false) as has_sales,
       case when s.has_sales then trim_scale(s.net_sales) else 0 end as net_sales, b.reporting_currency, s.fx_cause,
       coalesce(m.delivered, 0)::bigint as delivered, coalesce(m.unique_opens, 0)::bigint as unique_opens,
       coalesce(m.unique_clicks, 0)::bigint as unique_clicks,
       coalesce(p.impressions, 0)::bigint as impressions, coalesce(p.engagement, 0)::bigint as engagement
from sold s
full join mailed m using (day, retailer_id)
full join posted p using (day, retailer_id)
join app.retailers r on r.brand_id = $1 and r.id = retailer_id and r.removing_at is null -- which the brand itself is none of
cross join (select reporting_currency from app.brands where id = $1) b
