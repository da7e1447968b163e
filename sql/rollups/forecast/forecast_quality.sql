-- $8: what was found of each day on which a forecast was made. How wrong earlier ones were is known since then.
select w.retailer_id, w.day, q.currency, q.state, q.cause, q.method, q.history_days, q.origins, q.error, q.naive_error,
       q.coverage, e.error_of_last_30_days
from wanted w
join jsonb_to_recordset($8::jsonb) as q (
  day date, currency text, state text, cause text, method text, history_days integer, origins integer, error numeric,
  naive_error numeric, coverage numeric
) on q.day = w.day
cross join lateral (
  select round(sum(abs(s.net_sales - f.predicted)) / nullif(sum(abs(s.net_sales)), 0), 4) as error_of_last_30_days
  from agg.revenue_forecast f
  cross join lateral (
    select coalesce(sum(d.gross_sales - d.discounts - d.returns), 0) as net_sales
    from agg.daily_sales d
    where d.brand_id = $1 and d.retailer_id = w.retailer_id and d.day = f.for_day and d.currency = q.currency
  ) s
  where f.brand_id = $1 and f.retailer_id = w.retailer_id and f.currency = q.currency
    and f.day between w.day - 57 and w.day - 1 and f.for_day between w.day - 30 and w.day - 1
) e
