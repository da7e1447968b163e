-- YouTube's views count each start of playback since 2026-08-27, under the names of before (connectors/ayrshare/retirements.ts).
-- What was read from then on is of another version of the map, so that no difference is taken across that day.
with redefined as (
  update raw.ayrshare_post_readings set mapping_version = mapping_version + 1
  where platform = 'youtube' and field in ('views', 'viewCount') and read_at >= '2026-08-27T00:00:00Z'
  returning brand_id, connection_id, id, read_at
)
insert into ops.marks (brand_id, subject, day, object, cause, marked_at)
select distinct r.brand_id, m.subject, m.day, m.object, 'changed_definition', now()
from redefined r
join app.brands b on b.id = r.brand_id
cross join lateral (values
  ('social', (r.read_at at time zone b.time_zone)::date, null),
  ('social_posts', null, r.connection_id || ' ' || r.id)) as m (subject, day, object);

update raw.ayrshare_account_readings set mapping_version = mapping_version + 1
where id = 'youtube' and field in ('views', 'viewCount') and read_at >= '2026-08-27T00:00:00Z';

comment on column raw.ayrshare_post_readings.mapping_version is 'version of the map from fields to metrics, raised by each change of what its field means up to the reading; no difference is taken between two';
comment on column bi.daily_social.breaks is 'numbers with a break on the day, because they are read from other fields since, or their field means something else: no difference is taken over it';
