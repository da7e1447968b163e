-- What is credited to campaigns, and to none, is all that was sold.
select day, currency, coalesce(s.net_sales, 0) as expected, coalesce(c.revenue, 0) as found
from (
  select w.day, d.currency, sum(d.net_sales) as net_sales
  from wanted w
  cross join lateral (
    select currency, gross_sales - discounts - returns as net_sales from agg.daily_sales
    where brand_id = $1 and day >= w.day and day <= w.day
    order by day
  ) d
  where exists (select from app.campaigns where brand_id = $1)
  group by 1, 2
) s
full join (
  select day, currency, sum(attributed_revenue) as revenue from fresh group by day, currency
) c using (day, currency)
