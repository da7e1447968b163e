-- What an order needs goes along with its touches: nothing is joined again, whatever PostgreSQL thinks of their number.
-- The last touch of an order within the window of its brand, if any names a campaign. Of two at one instant the one
-- counts that says more: a code that was used, then the visit, then a letter, then a post.
with placed as (
  select w.connection_id, w.object as order_id, w.time_zone, d.retailer_id, d.day, d.currency, d.is_counted, d.placed_at,
         d.person, d.utm_campaign, coalesce(d.visited_at, d.placed_at) as visited_at, d.discount_codes, d.since
  from wanted w
  cross join lateral (
    select retailer_id, day, currency, is_counted, placed_at, person, utm_campaign, visited_at, discount_codes,
           placed_at - make_interval(hours => b.attribution_hours) as since
    from agg.order_days o join app.brands b on b.id = $1
    where o.brand_id = $1 and o.connection_id = w.connection_id
      and o.order_id >= w.object and o.order_id <= w.object and o.is_placed
    order by o.order_id limit 1
  ) d
  where exists (select from app.campaign_links where brand_id = $1)
), touches as (
  select p.*, 1 as strength, k.kind as touch_kind, k.value as touch, p.placed_at as touched_at,
         k.campaign_id
  from placed p
  cross join lateral unnest(p.discount_codes) as c (code)
  join app.campaign_links k on k.brand_id = $1 and k.kind = 'discount_code' and k.value = c.code
  union all
  select p.*, 2, k.kind, k.value, p.visited_at, k.campaign_id
  from placed p
  join app.campaign_links k on k.brand_id = $1 and k.kind = 'utm_campaign' and k.value = p.utm_campaign
  union all
  select p.*, 3, 'email_click', e.touch_id, e.touched_at, k.campaign_id
  from placed p
  join app.connections c on c.brand_id = $1 and c.level = 'brand' and c.removing_at is null
  cross join lateral (
    select * from fact.email_clicks
    where brand_id = $1 and connection_id = c.id and person >= p.person and person <= p.person
      and touched_at >= p.since and touched_at <= p.placed_at
    order by person, touched_at
  ) e
  cross join lateral (
    select l.campaign_id from app.campaign_links l
    where l.brand_id = $1
      and (l.kind = 'single_send' and l.value = e.single_send_id or l.kind = 'email_category' and l.value = any (e.categories))
    order by l.kind desc, l.value limit 1
  ) k
  where p.person is not null
  union all
  select p.*, 4, 'social_post', s.post_id, p.visited_at, s.campaign_id
  from placed p
  join app.connections c on c.brand_id = $1 and c.level = 'brand' and c.removing_at is null
  cross join lateral (
    select post_id, campaign_id from fact.campaign_posts
    where brand_id = $1 and connection_id = c.id and utm_campaign >= p.utm_campaign and utm_campaign <= p.utm_campaign
      and published_at <= p.visited_at
    order by utm_campaign, published_at desc, post_id limit 1
  ) s
  where p.utm_campaign is not null
), last as (
  select distinct on (connection_id, order_id) *
  from touches
  where touched_at >= since and touched_at <= placed_at
  order by connection_id, order_id, touched_at desc, strength, touch
)
select t.connection_id, t.order_id, t.retailer_id, t.day, t.currency, t.is_counted, s.net_sales, t.campaign_id, t.touch_kind,
       t.touch, t.touched_at, (t.touched_at at time zone t.time_zone)::date as touched_on
from last t
cross join lateral (
  select trim_scale(sum(o.net_sales)) as net_sales
  from (
    select net_sales from agg.order_days
    where brand_id = $1 and connection_id = t.connection_id and order_id >= t.order_id and order_id <= t.order_id
    order by order_id
  ) o
) s
