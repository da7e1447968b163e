-- Orders that a link of a campaign can reach. A mark names kind and value.
with named as (
  select split_part(m, ' ', 1) as kind, substr(m, strpos(m, ' ') + 1) as value from unnest($2::text[]) as m
), utms as (
  select value as utm_campaign from named where kind = 'utm_campaign'
  union
  select lower(btrim(p.campaign)) from named n join raw.ayrshare_posts p
    on p.brand_id = $1 and (n.kind = 'social_post' and p.id = n.value or n.kind = 'hashtag' and n.value = any (fact.hashtags(p.text)))
), persons as (
  select e.person from named n join fact.email_clicks e
    on e.brand_id = $1 and (n.kind = 'single_send' and e.single_send_id = n.value or n.kind = 'email_category' and n.value = any (e.categories))
)
select connection_id, order_id as object
from agg.order_days
where brand_id = $1 and is_placed
  and (utm_campaign in (select utm_campaign from utms) or person in (select person from persons)
    or discount_codes && array(select value from named where kind = 'discount_code'))
