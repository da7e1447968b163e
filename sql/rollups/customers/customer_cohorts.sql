-- What the customers of each cohort did in the months of `wanted`.
select w.retailer_id, w.day, m.cohort_month, m.currency, count(*) filter (where m.orders > 0) as customers,
       count(*) filter (where m.is_new) as new_customers, sum(m.orders)::bigint as orders, trim_scale(sum(m.net_sales)) as net_sales
from wanted w
cross join lateral (
  select cohort_month, currency, is_new, orders, net_sales from agg.customer_months
  where brand_id = $1 and retailer_id = w.retailer_id and month >= w.day and month <= w.day
  order by month
) m
where m.cohort_month is not null
group by w.retailer_id, w.day, m.cohort_month, m.currency
