-- The whole of agg.order_credits as a careful analyst would write it: one row per touch, the last of each order.
insert into public.plain_order_credits
  (brand_id, connection_id, order_id, retailer_id, day, currency, is_counted, net_sales, campaign_id, touch_kind, touch,
   touched_at, touched_on, computed_at)
with placed as (
  select o.*, b.time_zone, o.placed_at - make_interval(hours => b.attribution_hours) as since
  from agg.order_days o join app.brands b on b.id = o.brand_id
  where o.brand_id = $1 and o.is_placed
), touches as (
  select p.connection_id, p.order_id, 1 as strength, k.kind, k.value as touch, p.placed_at as touched_at, k.campaign_id
  from placed p cross join lateral unnest(p.discount_codes) c (code)
  join app.campaign_links k on k.brand_id = $1 and k.kind = 'discount_code' and k.value = c.code
  union all
  select p.connection_id, p.order_id, 2, k.kind, k.value, coalesce(p.visited_at, p.placed_at), k.campaign_id
  from placed p
  join app.campaign_links k on k.brand_id = $1 and k.kind = 'utm_campaign' and k.value = p.utm_campaign
  where coalesce(p.visited_at, p.placed_at) between p.since and p.placed_at
  union all
  select p.connection_id, p.order_id, 3, 'email_click', e.touch_id, e.touched_at, k.campaign_id
  from placed p
  join fact.email_clicks e on e.brand_id = $1 and e.person = p.person and e.touched_at between p.since and p.placed_at
  join app.campaign_links k on k.brand_id = $1 and k.kind = 'single_send' and k.value = e.single_send_id
), last as (
  select distinct on (connection_id, order_id) * from touches
  order by connection_id, order_id, touched_at desc, strength, touch
), net as (
  select connection_id, order_id, sum(net_sales) as net_sales from agg.order_days where brand_id = $1 group by 1, 2
)
select $1, t.connection_id, t.order_id, p.retailer_id, p.day, p.currency, p.is_counted, n.net_sales, t.campaign_id, t.kind,
       t.touch, t.touched_at, (t.touched_at at time zone p.time_zone)::date, $2::timestamptz
from last t
join placed p using (connection_id, order_id)
join net n using (connection_id, order_id)
