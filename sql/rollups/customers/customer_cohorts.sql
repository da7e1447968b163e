-- What the customers of each cohort did in the months of `wanted`.
with months as (
  select w.retailer_id, w.day, m.*
  from wanted w
  cross join lateral (
    select connection_id, customer_id, cohort_month, currency, is_new, orders, net_sales from agg.customer_months
    where brand_id = $1 and retailer_id = w.retailer_id and month >= w.day and month <= w.day
    order by month
  ) m
  where m.cohort_month is not null
)
select retailer_id, day, cohort_month, currency, count(*) filter (where orders > 0) as customers,
       count(*) filter (where is_new) as new_customers, sum(orders)::bigint as orders, trim_scale(sum(net_sales)) as net_sales
from months
group by retailer_id, day, cohort_month, currency
