-- Posts that were published on the days, or read.
select p.connection_id, o.id as object
from spans p
cross join lateral (
  select id from fact.social_posts
  where brand_id = $1 and connection_id = p.connection_id and published_at >= p.starts_at and published_at < p.ends_at
  order by published_at
) o
union
select p.connection_id, r.id
from spans p
cross join lateral (
  select post_id as id from fact.social_reading_times
  where brand_id = $1 and connection_id = p.connection_id and read_at >= p.starts_at and read_at < p.ends_at
  order by read_at
) r
union
select p.connection_id, a.post_id
from spans p
join agg.social_posts a
  on a.brand_id = $1 and a.connection_id = p.connection_id and a.published_on >= p.day and a.published_on <= p.day
