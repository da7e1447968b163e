-- Growth by country with the countries that had a row in the month before only: without their rows, the sum of
-- previous_net_sales over countries is too small, and growth that is made of sums too large.

-- What the row of the month after is found by.
create index monthly_country_sales_by_next_month on agg.monthly_country_sales
  (brand_id, (((day + interval '1 month')::date)), retailer_id);

-- Each monthly row counts twice: in its own month, and as the month before of the next one.
create or replace view bi.country_growth as
select b.id as brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, g.country, g.month, g.currency,
       g.orders, g.units, g.units_returned, g.net_sales, g.previous_net_sales,
       round((g.net_sales - g.previous_net_sales) / nullif(greatest(g.previous_net_sales, 0), 0) * 100, 2) as growth_percentage,
       g.computed_at
from app.brands b
join app.retailers r on r.brand_id = b.id
cross join lateral (
  select country, month, currency, sum(orders)::bigint as orders, sum(units)::bigint as units,
         sum(units_returned)::bigint as units_returned, sum(net_sales) as net_sales,
         sum(previous_net_sales) as previous_net_sales, max(computed_at) as computed_at
  from (
    select m.country, m.day as month, m.currency, m.orders, m.units, m.units_returned,
           m.gross_sales - m.discounts - m.returns as net_sales, 0 as previous_net_sales, m.computed_at
    from agg.monthly_country_sales m
    where m.brand_id = b.id and m.retailer_id = r.id
    union all
    select p.country, (p.day + interval '1 month')::date, p.currency, 0, 0, 0, 0, p.gross_sales - p.discounts - p.returns,
           p.computed_at
    from agg.monthly_country_sales p
    where p.brand_id = b.id and p.retailer_id = r.id
      -- Where no sales of the brand come in, no country loses its own.
      and (p.day + interval '1 month')::date <=
          (select max(s.day) from agg.monthly_country_sales s
           where s.brand_id = b.id and s.day <= (now() at time zone b.time_zone)::date)
  ) months
  group by country, month, currency
) g;

comment on view bi.country_growth is 'Sales per country of the order, retailer, month and currency, beside the month before. A month that is not over is compared with all of the month before. A country that had a row in the month before only has one without sales, up to the last month with sales of the brand; in all other months without sales it has none.';
comment on column bi.country_growth.computed_at is 'when the figures of this row, or those of the month before, last changed';
