-- The sums of the days of months. Customers of days do not add up to those of a month.
with days as (
  select w.retailer_id, w.day, d.day as of_day, d.currency, d.country, d.orders, d.units, d.units_returned, d.gross_sales,
         d.discounts, d.returns
  from wanted w
  cross join lateral (
    select * from agg.daily_country_sales
    where brand_id = $1 and retailer_id = w.retailer_id and day >= w.day and day < w.next_day
    order by day
  ) d
)
select retailer_id, day, currency, country, sum(orders)::bigint as orders, sum(units)::bigint as units,
       sum(units_returned)::bigint as units_returned, trim_scale(sum(gross_sales)) as gross_sales,
       trim_scale(sum(discounts)) as discounts, trim_scale(sum(returns)) as returns
from days
group by retailer_id, day, currency, country
