-- Orders that came from a link with the utm_campaign of a post. A mark names connection and utm_campaign.
select o.connection_id, o.order_id as object
from (select distinct fact.link_name(substr(m, strpos(m, ' ') + 1)) as utm_campaign from unnest($2::text[]) as m) n
cross join lateral (
  select connection_id, order_id from agg.order_days
  where brand_id = $1 and utm_campaign >= n.utm_campaign and utm_campaign <= n.utm_campaign and is_placed
  order by utm_campaign
) o
