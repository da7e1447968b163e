-- One row per post, with the newest of each of its numbers.
select s.connection_id, s.object as post_id, o.platform, o.published_at,
       (o.published_at at time zone s.time_zone)::date as published_on, o.campaign,
       n.impressions, n.reach, n.likes, n.comments, n.shares, n.saves, n.clicks, n.video_views, n.falls, n.read_at
from spans s
cross join lateral (
  select * from fact.social_posts
  where brand_id = $1 and connection_id = s.connection_id and id >= s.object and id <= s.object and deleted_at is null
  order by id
) o
cross join lateral (
  select max(r.value) filter (where r.metric = 'impressions' and r.is_last)::bigint as impressions,
         max(r.value) filter (where r.metric = 'reach' and r.is_last)::bigint as reach,
         max(r.value) filter (where r.metric = 'likes' and r.is_last)::bigint as likes,
         max(r.value) filter (where r.metric = 'comments' and r.is_last)::bigint as comments,
         max(r.value) filter (where r.metric = 'shares' and r.is_last)::bigint as shares,
         max(r.value) filter (where r.metric = 'saves' and r.is_last)::bigint as saves,
         max(r.value) filter (where r.metric = 'clicks' and r.is_last)::bigint as clicks,
         max(r.value) filter (where r.metric = 'video_views' and r.is_last)::bigint as video_views,
         count(*) filter (where r.gained < 0) as falls, max(r.read_at) as read_at
  from (
    select q.*, row_number() over (partition by q.metric order by q.read_at desc) = 1 as is_last
    from (
      select * from fact.social_readings
      where brand_id = $1 and connection_id = s.connection_id and post_id >= s.object and post_id <= s.object
      order by post_id
    ) q
  ) r
) n
