import { defineRollup } from '../define.ts';

export const socialPosts = defineRollup(import.meta.url, {
  name: 'social_posts',
  of: 'brand',
  object: 'post_id',
  reads: ['fact.social_posts', 'fact.social_reading_times', 'fact.social_readings'],
  writes: 'agg.social_posts',
  grain: ['brand_id', 'connection_id', 'post_id'],
  measures: [
    'platform',
    'published_at',
    'published_on',
    'campaign',
    'impressions',
    'reach',
    'likes',
    'comments',
    'shares',
    'saves',
    'clicks',
    'video_views',
    'falls',
    'read_at',
  ],
  changesWith: ['social_posts'],
  explains: 'it is the newest reading of each number of a post',
});
