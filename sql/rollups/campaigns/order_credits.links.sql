-- Orders that a link of a campaign can reach. A mark names kind and value. Each branch compares for equality only, so that
-- links, posts and clicks are hashed and never compared pair by pair.
with named as materialized (
  select distinct split_part(m, ' ', 1) as kind, substr(m, strpos(m, ' ') + 1) as value from unnest($2::text[]) as m
), utms as materialized (
  select value as utm_campaign from named where kind = 'utm_campaign'
  union
  select fact.link_name(p.campaign) from raw.ayrshare_posts p
  where p.brand_id = $1 and p.id in (select value from named where kind = 'social_post')
  union
  select fact.link_name(p.campaign) from raw.ayrshare_posts p
  where p.brand_id = $1 and fact.hashtags(p.text) && array(select value from named where kind = 'hashtag')
), persons as materialized (
  select person from fact.email_clicks
  where brand_id = $1 and single_send_id in (select value from named where kind = 'single_send')
  union
  select person from fact.email_clicks
  where brand_id = $1 and categories && array(select value from named where kind = 'email_category')
)
select connection_id, order_id as object
from agg.order_days
where brand_id = $1 and is_placed
  and (utm_campaign in (select utm_campaign from utms) or person in (select person from persons)
    or discount_codes && array(select value from named where kind = 'discount_code'))
