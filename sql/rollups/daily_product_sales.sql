-- One row per retailer, brand-local day, currency, connection and product with goods sold, returned or
-- adjusted. Rebuilds exactly the pairs given in $2 uuid[] (retailers) and $3 date[] (days) of brand $1
-- as of $4; what is already right is not touched.
with wanted as (
  select r.id as retailer_id, pair.day,
         fact.day_start(pair.day, b.time_zone) as starts_at, fact.day_start(pair.day + 1, b.time_zone) as ends_at
  from (select distinct * from unnest($2::uuid[], $3::date[]) as p (retailer_id, day)) pair
  join app.brands b on b.id = $1
  join app.retailers r on r.brand_id = $1 and r.id = pair.retailer_id
), sold as (
  select w.retailer_id, w.day, s.currency, s.connection_id, s.product_key, s.orders, s.units, s.units_returned,
         s.gross_sales, s.discounts, s.returns, w.ends_at
  from wanted w
  cross join lateral (
    select f.currency, f.connection_id, f.product_key,
           count(distinct f.order_id) filter (where f.is_order_of_product) as orders,
           coalesce(sum(f.units), 0) as units,
           coalesce(sum(f.units_returned), 0) as units_returned,
           trim_scale(coalesce(sum(f.gross_sales), 0)) as gross_sales,
           trim_scale(coalesce(sum(f.discounts), 0)) as discounts,
           trim_scale(coalesce(sum(f.returns), 0)) as returns
    from fact.product_sales f
    where f.brand_id = $1 and f.retailer_id = w.retailer_id
      and f.booked_at >= w.starts_at and f.booked_at < w.ends_at
    group by f.currency, f.connection_id, f.product_key
  ) s
), fresh as (
  -- The cost that held at the end of the day. A cost in another currency is as good as unknown.
  select s.retailer_id, s.day, s.currency, s.connection_id, s.product_key, s.orders, s.units,
         s.units_returned, s.gross_sales, s.discounts, s.returns,
         case when n.has_units then trim_scale((s.units - s.units_returned) * c.cost) else 0 end as cost_of_goods,
         case when n.has_units and c.cost is null then s.units + s.units_returned else 0 end as units_without_cost
  from sold s
  cross join lateral (select (s.units, s.units_returned) <> (0, 0) as has_units) n
  left join lateral (
    select case when k.currency = s.currency then k.cost end as cost from raw.shopify_costs k
    where k.brand_id = $1 and k.connection_id = s.connection_id and k.id = s.product_key
      and k.valid_from < s.ends_at and k.deleted_at is null
    order by k.valid_from desc limit 1
  ) c on true
), gone as (
  delete from agg.daily_product_sales a using wanted w
  where a.brand_id = $1 and (a.retailer_id, a.day) = (w.retailer_id, w.day) and not exists (
    select from fresh f
    where (f.retailer_id, f.day, f.currency, f.connection_id, f.product_key)
        = (a.retailer_id, a.day, a.currency, a.connection_id, a.product_key))
  returning 1
), written as (
  insert into agg.daily_product_sales as a
    (brand_id, retailer_id, day, currency, connection_id, product_key, orders, units, units_returned,
     gross_sales, discounts, returns, cost_of_goods, units_without_cost, computed_at)
  select $1, f.*, $4::timestamptz from fresh f
  where not exists (
    select from agg.daily_product_sales a
    where a.brand_id = $1
      and (a.retailer_id, a.day, a.currency, a.connection_id, a.product_key)
        = (f.retailer_id, f.day, f.currency, f.connection_id, f.product_key)
      and (a.orders, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns, a.cost_of_goods,
           a.units_without_cost)
          is not distinct from
          (f.orders, f.units, f.units_returned, f.gross_sales, f.discounts, f.returns, f.cost_of_goods,
           f.units_without_cost))
  on conflict (brand_id, retailer_id, day, currency, connection_id, product_key) do update
  set orders = excluded.orders, units = excluded.units, units_returned = excluded.units_returned,
      gross_sales = excluded.gross_sales, discounts = excluded.discounts, returns = excluded.returns,
      cost_of_goods = excluded.cost_of_goods, units_without_cost = excluded.units_without_cost,
      computed_at = excluded.computed_at
  returning 1
)
select (select count(*) from written) as written, (select count(*) from gone) as deleted;
