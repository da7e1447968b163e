-- One row per brand and day with spend or opened mails: what was spent, in dollars, and how many were opened.
with spent as (
  select p.day, sum(s.amount) as spend
  from spans p
  cross join lateral (
    select o.amount from raw.acorn_spend o
    where o.brand_id = $1 and o.connection_id = p.connection_id and o.day >= p.day and o.day <= p.day
    order by o.day
  ) s
  group by p.day
), opened as (
  select p.day, count(*) as opens
  from spans p
  cross join lateral (
    select from raw.acorn_opens o
    where o.brand_id = $1 and o.connection_id = p.connection_id and o.opened_at >= p.starts_at and o.opened_at < p.ends_at
    order by o.opened_at
  ) s
  group by p.day
)
select day, 'USD' as currency, trim_scale(coalesce(s.spend, 0)) as spend, coalesce(o.opens, 0) as opens,
       b.reporting_currency, trim_scale(x.fx_rate) as fx_rate, x.fx_day, x.fx_cause
from spent s
full join opened o using (day)
cross join (select reporting_currency from app.brands where id = $1) b
cross join lateral fact.exchange_rate('USD', b.reporting_currency, day) x
