-- The sums of the days of months. Customers of days do not add up to those of a month.
select w.retailer_id, w.day, d.currency, d.country, sum(d.orders)::bigint as orders, sum(d.units)::bigint as units,
       sum(d.units_returned)::bigint as units_returned, trim_scale(sum(d.gross_sales)) as gross_sales,
       trim_scale(sum(d.discounts)) as discounts, trim_scale(sum(d.returns)) as returns
from wanted w
cross join lateral (
  select * from agg.daily_country_sales
  where brand_id = $1 and retailer_id = w.retailer_id and day >= w.day and day < w.next_day
  order by day
) d
group by w.retailer_id, w.day, d.currency, d.country
