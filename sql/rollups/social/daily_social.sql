-- One row per account and brand-local day on which it was read, or published something.
with gained as (
  -- What was added up to a reading falls on its day; what a post had when it was first read, on the day of the post.
  select p.connection_id, p.day, r.platform, r.metric, r.post_id, r.read_at, r.gained, r.is_break, false as is_first,
         case when r.gained < 0 then 0 else r.gained end as added
  from spans p
  cross join lateral (
    select * from fact.social_readings
    where brand_id = $1 and connection_id = p.connection_id and read_at >= p.starts_at and read_at < p.ends_at
    order by read_at
  ) r
  where not r.is_first
  union all
  select p.connection_id, p.day, r.platform, r.metric, r.post_id, r.read_at, r.value, false, true, r.value
  from spans p
  cross join lateral (
    select * from fact.social_readings
    where brand_id = $1 and connection_id = p.connection_id
      and published_at >= p.starts_at and published_at < p.ends_at
    order by published_at
  ) r
  where r.is_first
), of_posts as (
  select connection_id, platform, day,
         sum(added) filter (where metric = 'impressions') as impressions,
         sum(added) filter (where metric = 'likes') as likes,
         sum(added) filter (where metric = 'comments') as comments,
         sum(added) filter (where metric = 'shares') as shares,
         sum(added) filter (where metric = 'saves') as saves,
         sum(added) filter (where metric = 'clicks') as clicks,
         sum(added) filter (where metric = 'video_views') as video_views,
         count(distinct post_id) filter (where is_first) as posts_first_read,
         sum(gained) filter (where is_first and metric in ('likes', 'comments', 'shares')) as engagement_first_read,
         count(*) filter (where gained < 0) as falls,
         -sum(gained) filter (where gained < 0 and metric in ('likes', 'comments', 'shares')) as engagement_fallen,
         count(*) filter (where is_break) as breaks, array_agg(distinct metric) filter (where is_break) as broken
  from gained
  where metric <> 'reach'
  group by connection_id, platform, day
), posted as (
  select p.connection_id, p.day, o.id as post_id, o.platform, o.published_at
  from spans p
  cross join lateral (
    select id, platform, published_at from fact.social_posts
    where brand_id = $1 and connection_id = p.connection_id and deleted_at is null
      and published_at >= p.starts_at and published_at < p.ends_at
    order by published_at
  ) o
), published as (
  select connection_id, platform, day, count(*) as posts
  from posted
  group by connection_id, platform, day
), account_readings as (
  select p.connection_id, p.day, p.starts_at, p.time_zone, r.platform, r.metric, r.read_at, r.value, r.gained,
         r.read_before_at,
         row_number() over (partition by p.connection_id, p.day, r.platform, r.metric order by r.read_at desc) = 1 as is_last,
         -- Only of a network that gives no numbers of posts.
         r.platform = 'gmb' as is_for_posts,
         case when r.platform = 'gmb' then case when r.gained < 0 then 0 else r.gained end end as added
  from spans p
  cross join lateral (
    select * from fact.social_account_readings
    where brand_id = $1 and connection_id = p.connection_id and read_at >= p.starts_at and read_at < p.ends_at
    order by read_at
  ) r
), of_account as (
  select connection_id, platform, day,
         max(value) filter (where metric = 'followers' and is_last) as followers,
         sum(gained) filter (where metric = 'followers') as followers_gained,
         max(value) filter (where metric = 'reach' and is_last) as reach,
         -- The gap before the day: from the reading that its first one follows.
         min(day - (read_before_at at time zone time_zone)::date) filter (where read_before_at < starts_at) as days_since_reading,
         sum(added) filter (where metric = 'impressions') as impressions,
         sum(added) filter (where metric = 'clicks') as clicks,
         count(*) filter (where gained < 0 and metric in ('impressions', 'clicks') and is_for_posts) as falls,
         array_agg(distinct metric) filter (where metric like 'read %') as told
  from account_readings
  group by connection_id, platform, day
)
-- 0 where the posts were read that day, give the number, and none of it was added; unknown where a break hides that.
select connection_id, platform, day, a.followers::bigint as followers, a.followers_gained::bigint as followers_gained,
       a.days_since_reading,
       coalesce(o.impressions, a.impressions, case when 'read impressions' = any (u.unbroken) then 0 end)::bigint as impressions,
       a.reach::bigint as reach,
       coalesce(o.likes, case when 'read likes' = any (u.unbroken) then 0 end)::bigint as likes,
       coalesce(o.comments, case when 'read comments' = any (u.unbroken) then 0 end)::bigint as comments,
       coalesce(o.shares, case when 'read shares' = any (u.unbroken) then 0 end)::bigint as shares,
       coalesce(o.saves, case when 'read saves' = any (u.unbroken) then 0 end)::bigint as saves,
       coalesce(o.clicks, a.clicks, case when 'read clicks' = any (u.unbroken) then 0 end)::bigint as clicks,
       coalesce(o.video_views, case when 'read video_views' = any (u.unbroken) then 0 end)::bigint as video_views,
       coalesce(p.posts, 0) as posts, coalesce(o.posts_first_read, 0) as posts_first_read,
       coalesce(o.engagement_first_read, 0)::bigint as engagement_first_read,
       coalesce(o.falls, 0) + coalesce(a.falls, 0) as falls,
       coalesce(o.engagement_fallen, 0)::bigint as engagement_fallen, coalesce(o.breaks, 0) as breaks
from of_posts o
full join published p using (connection_id, platform, day)
full join of_account a using (connection_id, platform, day)
cross join lateral (
  select array(select t from unnest(a.told) t where substr(t, length('read ') + 1) = any (coalesce(o.broken, '{}')) is false) as unbroken
) u
