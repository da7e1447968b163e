import { defineRollup } from '../define.ts';

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
});
