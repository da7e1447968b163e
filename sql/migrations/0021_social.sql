-- Reach on social networks. Networks give lifetime numbers of posts, so what a day brought is the difference of two
-- readings, and falls on the day of the later one: nothing is spread over days on which nobody looked.

-- One row per reading of a number of a post. `gained` is null for the first reading, which falls on the day of the
-- post, and where the map from fields to numbers has changed in between.
create view fact.social_posts as
select brand_id, connection_id, id, platform, published_at, campaign, deleted_at from raw.ayrshare_posts;

-- Apart from what each reading follows, which costs a look-up a row.
create view fact.social_reading_times as
select brand_id, connection_id, id as post_id, read_at from raw.ayrshare_post_readings;

create view fact.social_readings as
select r.brand_id, r.connection_id, r.id as post_id, r.platform, r.published_at, r.read_at, r.metric, r.value,
       e.read_at is null as is_first, e.mapping_version <> r.mapping_version as is_break,
       case when e.mapping_version = r.mapping_version then r.value - e.value end as gained
from raw.ayrshare_post_readings r
left join lateral (
  select * from raw.ayrshare_post_readings o
  where o.brand_id = r.brand_id and o.connection_id = r.connection_id
    and (o.id, o.metric, o.read_at) < (r.id, r.metric, r.read_at)
  order by o.id desc, o.metric desc, o.read_at desc limit 1
) e on (e.id, e.metric) = (r.id, r.metric);

create view fact.social_account_readings as
select r.brand_id, r.connection_id, r.id as platform, r.read_at, r.metric, r.value, e.read_at as read_before_at,
       case when e.mapping_version = r.mapping_version then r.value - e.value end as gained
from raw.ayrshare_account_readings r
left join lateral (
  select * from raw.ayrshare_account_readings o
  where o.brand_id = r.brand_id and o.connection_id = r.connection_id
    and (o.id, o.metric, o.read_at) < (r.id, r.metric, r.read_at)
  order by o.id desc, o.metric desc, o.read_at desc limit 1
) e on (e.id, e.metric) = (r.id, r.metric);

create table agg.daily_social (
  brand_id uuid not null,
  connection_id uuid not null,
  platform text not null,
  day date not null,
  followers bigint,
  followers_gained bigint,
  days_since_reading integer,
  impressions bigint,
  reach bigint,
  likes bigint,
  comments bigint,
  shares bigint,
  saves bigint,
  clicks bigint,
  video_views bigint,
  posts bigint not null,
  posts_first_read bigint not null,
  engagement_first_read bigint not null,
  falls bigint not null,
  engagement_fallen bigint not null,
  breaks bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, connection_id, platform, day)
);
create index daily_social_by_day on agg.daily_social (brand_id, day);
comment on table agg.daily_social is 'what a day brought to an account on a social network, by differences of readings';

create table agg.social_posts (
  brand_id uuid not null,
  connection_id uuid not null,
  post_id text not null,
  platform text not null,
  published_at timestamptz not null,
  published_on date not null,
  campaign text,
  impressions bigint,
  reach bigint,
  likes bigint,
  comments bigint,
  shares bigint,
  saves bigint,
  clicks bigint,
  video_views bigint,
  falls bigint not null,
  read_at timestamptz,
  computed_at timestamptz not null,
  primary key (brand_id, connection_id, post_id)
);
comment on table agg.social_posts is 'posts with their newest lifetime numbers';

insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values ('daily_social', 'social', '{social}', false),
       ('social_posts', 'social', '{social_posts}', false);

-- Engagement counts what is told: null if nothing of it is.
create function fact.engagement(p_likes bigint, p_comments bigint, p_shares bigint) returns bigint
language sql immutable parallel safe
return case when num_nonnulls(p_likes, p_comments, p_shares) > 0
            then coalesce(p_likes, 0) + coalesce(p_comments, 0) + coalesce(p_shares, 0) end;
comment on function fact.engagement is 'likes + comments + shares, of those that the network tells';

create function fact.engagement_rate(p_engagement bigint, p_impressions bigint) returns numeric
language sql immutable parallel safe
return round(p_engagement::numeric / nullif(p_impressions, 0), 4);
comment on function fact.engagement_rate is 'engagement / impressions, 4 decimal places; null without impressions';

create function fact.engagement_tier(p_engagement bigint, p_impressions bigint) returns text
language sql immutable parallel safe
return case when p_engagement is null or p_impressions is null or p_impressions = 0 then null
            when p_engagement * 100 >= p_impressions * 5 then 'High'
            when p_engagement * 100 >= p_impressions * 2 then 'Good'
            else 'Standard' end;
comment on function fact.engagement_tier is 'High from 5 % of the impressions on, Good from 2 % on, else Standard; by the unrounded rate';

-- The retailer of a profile is looked up here, so that another one has its figures as soon as it is mapped.
create view bi.daily_social as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.platform, c.name as connection,
       coalesce(n.name, n.username, c.account) as account, a.day,
       a.followers, a.followers_gained, a.days_since_reading, a.impressions, a.reach, a.likes, a.comments, a.shares,
       a.saves, a.clicks, a.video_views, a.posts, e.engagement,
       fact.engagement_rate(e.engagement, a.impressions) as engagement_rate,
       fact.engagement_tier(e.engagement, a.impressions) as engagement_tier,
       a.posts_first_read, a.engagement_first_read, a.falls, a.engagement_fallen, a.breaks,
       case when a.platform = 'gmb' then 'account' else 'posts' end as measured_by, a.computed_at
from agg.daily_social a
join app.brands b on b.id = a.brand_id
join app.connections c on c.brand_id = a.brand_id and c.id = a.connection_id
left join app.connection_parts p on p.brand_id = a.brand_id and p.connection_id = a.connection_id and p.part = c.account
left join app.retailers r on r.brand_id = p.brand_id and r.id = p.retailer_id
left join raw.ayrshare_accounts n
  on n.brand_id = a.brand_id and n.connection_id = a.connection_id and n.id = a.platform
cross join lateral (select fact.engagement(a.likes, a.comments, a.shares) as engagement) e;

create view bi.social_posts as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.platform, c.name as connection,
       coalesce(n.name, n.username, c.account) as account, a.post_id, a.published_at, a.published_on, a.campaign,
       o.kind, o.url, o.text, a.impressions, a.reach, a.likes, a.comments, a.shares, a.saves, a.clicks, a.video_views,
       e.engagement, fact.engagement_rate(e.engagement, a.impressions) as engagement_rate,
       fact.engagement_tier(e.engagement, a.impressions) as engagement_tier, a.falls, a.read_at, a.computed_at
from agg.social_posts a
join app.brands b on b.id = a.brand_id
join app.connections c on c.brand_id = a.brand_id and c.id = a.connection_id
left join app.connection_parts p on p.brand_id = a.brand_id and p.connection_id = a.connection_id and p.part = c.account
left join app.retailers r on r.brand_id = p.brand_id and r.id = p.retailer_id
left join raw.ayrshare_accounts n
  on n.brand_id = a.brand_id and n.connection_id = a.connection_id and n.id = a.platform
left join raw.ayrshare_posts o
  on o.brand_id = a.brand_id and o.connection_id = a.connection_id and o.id = a.post_id
cross join lateral (select fact.engagement(a.likes, a.comments, a.shares) as engagement) e;

comment on view bi.daily_social is 'What a day brought to each account on a social network: differences of lifetime numbers, on the brand-local day of the later reading. What a post had when it was first read falls on the day of the post, so the days of an account add up to its posts. Null is not told by the network, or not read that day; 0 is read, and nothing was added.';
comment on column bi.daily_social.brand_id is 'id of the brand';
comment on column bi.daily_social.brand is 'short name of the brand';
comment on column bi.daily_social.retailer_id is 'id of the retailer that the profile is mapped to; null: the profile is the brand''s alone';
comment on column bi.daily_social.retailer is 'short name of that retailer';
comment on column bi.daily_social.platform is 'the network: facebook, instagram, linkedin, gmb (Google Business) …';
comment on column bi.daily_social.connection is 'name of the connection, which is one profile';
comment on column bi.daily_social.account is 'name of the account on the network';
comment on column bi.daily_social.day is 'day in the brand''s time zone on which the numbers were read, or the posts published; Google Business publishes its numbers a day late and more, so its days are days of publication';
comment on column bi.daily_social.followers is 'followers at the last reading of the day; a level, never added up over days';
comment on column bi.daily_social.followers_gained is 'difference to the last reading before the day, negative where followers left; null if there is only a first reading';
comment on column bi.daily_social.days_since_reading is 'days since the account was read before: more than 1 is a gap, whose differences all fall on this day; null at the first reading, or if the account was not read';
comment on column bi.daily_social.impressions is 'impressions or views added; of Google Business one per user and day';
comment on column bi.daily_social.reach is 'people reached, as the network states for its account at the last reading of the day, over a time of its own choice; neither added up over days nor over accounts. Null for Facebook, which ended it on 2026-06-15';
comment on column bi.daily_social.likes is 'likes and other reactions added';
comment on column bi.daily_social.comments is 'comments added';
comment on column bi.daily_social.shares is 'shares, reposts and quotes added';
comment on column bi.daily_social.saves is 'saves added; not part of engagement';
comment on column bi.daily_social.clicks is 'clicks added; of Google Business website, calls and directions';
comment on column bi.daily_social.video_views is 'video views added';
comment on column bi.daily_social.posts is 'posts published on the day';
comment on column bi.daily_social.engagement is 'likes + comments + shares, of those that the network tells';
comment on column bi.daily_social.engagement_rate is 'engagement / impressions, 4 decimal places; null without impressions';
comment on column bi.daily_social.engagement_tier is 'High from 5 % on, Good from 2 % on, else Standard, by the unrounded rate; null without impressions';
comment on column bi.daily_social.posts_first_read is 'posts of the day of which some number was read for the first time: what they had by then is part of this day';
comment on column bi.daily_social.engagement_first_read is 'part of engagement that these first readings brought, whenever it really came';
comment on column bi.daily_social.falls is 'numbers of posts that fell on the day: corrections of the network, which are not subtracted';
comment on column bi.daily_social.engagement_fallen is 'by how much likes, comments and shares fell in all; engagement - engagement_fallen adds up to the newest numbers of the posts';
comment on column bi.daily_social.breaks is 'numbers with a break on the day, because they are read from other fields since: no difference is taken over it';
comment on column bi.daily_social.measured_by is 'posts: everything but followers and reach is the sum over posts; account: the network gives no numbers of posts';
comment on column bi.daily_social.computed_at is 'when the figures of this row last changed';
comment on view bi.social_posts is 'Posts on social networks with their newest lifetime numbers. Null: the network does not tell.';
comment on column bi.social_posts.brand_id is 'id of the brand';
comment on column bi.social_posts.brand is 'short name of the brand';
comment on column bi.social_posts.retailer_id is 'id of the retailer that the profile is mapped to; null: the profile is the brand''s alone';
comment on column bi.social_posts.retailer is 'short name of that retailer';
comment on column bi.social_posts.platform is 'the network';
comment on column bi.social_posts.connection is 'name of the connection, which is one profile';
comment on column bi.social_posts.account is 'name of the account on the network';
comment on column bi.social_posts.post_id is 'network and id of the post there';
comment on column bi.social_posts.published_at is 'when it was published';
comment on column bi.social_posts.published_on is 'the same as a day in the brand''s time zone';
comment on column bi.social_posts.campaign is 'utm_campaign of the first link in the text that names one';
comment on column bi.social_posts.kind is 'photo, video …, in the network''s own words';
comment on column bi.social_posts.url is 'address of the post';
comment on column bi.social_posts.text is 'what it says';
comment on column bi.social_posts.impressions is 'impressions or views';
comment on column bi.social_posts.reach is 'people reached; not added up over posts, because one person may see several. Null for Facebook, which ended it on 2026-06-15';
comment on column bi.social_posts.likes is 'likes and other reactions';
comment on column bi.social_posts.comments is 'comments';
comment on column bi.social_posts.shares is 'shares, reposts and quotes';
comment on column bi.social_posts.saves is 'saves; not part of engagement';
comment on column bi.social_posts.clicks is 'clicks';
comment on column bi.social_posts.video_views is 'video views';
comment on column bi.social_posts.engagement is 'likes + comments + shares, of those that the network tells';
comment on column bi.social_posts.engagement_rate is 'engagement / impressions, 4 decimal places; null without impressions';
comment on column bi.social_posts.engagement_tier is 'High from 5 % on, Good from 2 % on, else Standard, by the unrounded rate; null without impressions';
comment on column bi.social_posts.falls is 'how often a number of it fell: corrections of the network';
comment on column bi.social_posts.read_at is 'as of when its newest changed number is';
comment on column bi.social_posts.computed_at is 'when the figures of this row last changed';
