import { first, one } from '../../explain/explanation.ts';
import { defineRollup } from '../define.ts';

const NUMBERS = ['impressions', 'likes', 'comments', 'shares', 'saves', 'clicks', 'video_views'];
const ENGAGEMENT = "metric in ('likes', 'comments', 'shares')";
const ofAccount = (metric: string) =>
  `case when metric = '${metric}' and ${metric}_of_posts is null then added end`;

export const dailySocial = defineRollup(import.meta.url, {
  name: 'daily_social',
  of: 'brand',
  reads: ['fact.social_readings', 'fact.social_account_readings', 'fact.social_posts'],
  writes: 'agg.daily_social',
  grain: ['brand_id', 'connection_id', 'platform', 'day'],
  measures: [
    'followers',
    'followers_gained',
    'days_since_reading',
    'impressions',
    'reach',
    'likes',
    'comments',
    'shares',
    'saves',
    'clicks',
    'video_views',
    'posts',
    'posts_first_read',
    'engagement_first_read',
    'falls',
    'engagement_fallen',
    'breaks',
  ],
  changesWith: ['social'],
  handsOn: 'changes',
  nonAdditive: ['days_since_reading'],
  explains: {
    parts: [
      {
        is: 'post',
        from: "(select * from gained where metric <> 'reach') g",
        id: 'post_id',
        at: 'read_at',
        object: { kind: 'posts' },
        adds: {
          ...Object.fromEntries(
            NUMBERS.map((metric) => [metric, `case when metric = '${metric}' then added end`]),
          ),
          posts_first_read: first({
            of: 'connection_id, platform, day, post_id',
            by: 'read_at, metric',
            when: 'is_first',
          }),
          engagement_first_read: `case when is_first and ${ENGAGEMENT} then gained end`,
          falls: one('gained < 0'),
          engagement_fallen: `case when gained < 0 and ${ENGAGEMENT} then -gained end`,
          breaks: one('is_break'),
        },
      },
      {
        is: 'post',
        from: 'posted',
        id: 'post_id',
        at: 'published_at',
        object: { kind: 'posts' },
        adds: { posts: '1' },
      },
      {
        is: 'reading of the account',
        from: `(
          select a.*, o.impressions as impressions_of_posts, o.clicks as clicks_of_posts
          from account_readings a left join of_posts o using (connection_id, platform, day)) a`,
        id: "to_char(read_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
        at: 'read_at',
        adds: {
          followers: "case when metric = 'followers' and is_last then value end",
          followers_gained: "case when metric = 'followers' then gained end",
          reach: "case when metric = 'reach' and is_last then value end",
          impressions: ofAccount('impressions'),
          clicks: ofAccount('clicks'),
          falls: one("gained < 0 and metric in ('impressions', 'clicks') and is_for_posts"),
        },
      },
    ],
    notSums: { days_since_reading: 'how old the reading is that its first one is compared with' },
  },
});
