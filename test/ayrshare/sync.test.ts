/** A profile is read, hour by hour and day by day. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import {
  anAccount,
  aPost,
  ayrshareSandbox,
  connectAyrshare,
  type Files,
  later,
  NOW,
} from '../support/providers/ayrshare.ts';

const files: Files = {
  accounts: [
    anAccount('facebook', { followersCount: 600, pageMediaView: 900 }),
    anAccount('linkedin', { followers: { totalFollowerCount: 2310 }, impressionCount: 10_400 }),
    anAccount('gmb', {
      ...{ businessImpressionsDesktopMaps: 1, businessImpressionsDesktopSearch: 2 },
      ...{ businessImpressionsMobileMaps: 3, businessImpressionsMobileSearch: 4 },
      ...{ websiteClicks: 5, callClicks: 6, businessDirectionRequests: 7 },
    }),
  ],
  posts: [aPost('1_1', '2026-11-18T10:00:00Z', 20), aPost('1_2', '2026-11-19T10:00:00Z', 5)],
  sent: [
    {
      ...{ id: 'sent1', status: 'success', created: '2026-11-19T12:00:00Z', type: 'now', post: 'Open late' },
      ...{ platforms: ['gmb', 'facebook'], errors: [] },
      postIds: [
        { platform: 'gmb', id: 'g1', status: 'success', postUrl: 'https://example.com/g1' },
        { platform: 'facebook', id: '1_9', status: 'success' },
      ],
    },
  ],
};

test('a profile is read in full at first, and a quiet hour takes three requests', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox);
  const other = await connectAyrshare(db, sandbox);
  for (const profile of [one, other]) await profile.syncEach();
  expect(await one.causes()).toEqual([]);
  expect(await one.rows('id, published_at', 'raw.ayrshare_posts')).toEqual([
    { id: 'facebook/1_1', published_at: new Date('2026-11-18T10:00:00Z') },
    { id: 'facebook/1_2', published_at: new Date('2026-11-19T10:00:00Z') },
    { id: 'gmb/g1', published_at: new Date('2026-11-19T12:00:00Z') },
  ]);
  expect(
    await one.rows('metric, value, field', 'raw.ayrshare_post_readings', "and id = 'facebook/1_1'"),
  ).toEqual([
    { metric: 'comments', value: '2', field: 'commentsCount' },
    { metric: 'impressions', value: '200', field: 'mediaView' },
    { metric: 'likes', value: '20', field: 'likeCount' },
    { metric: 'shares', value: '1', field: 'sharesCount' },
  ]);
  await sandbox.asked();
  for (let hour = 1; hour <= 3; hour++) {
    await sandbox.at(later(hour));
    expect(await one.syncAll({ now: later(hour) })).toMatchObject({ requests: 3, changed: 0 });
    expect((await sandbox.asked()).toSorted()).toEqual([
      'GET /history',
      expect.stringMatching(/^GET \/history\/(facebook|linkedin)$/),
      'POST /analytics/social',
    ]);
  }
  // Only the other list is older than what Ayrshare keeps; then there is nothing to ask for.
  expect(await one.syncAll({ now: later(3) })).toMatchObject({ requests: 1 });
  expect(await one.syncAll({ now: later(3) })).toMatchObject({ requests: 0 });
  expect(await other.rows('count(*)', 'raw.ayrshare_post_readings')).toEqual([{ count: 8 }]);
});

test('the first run of a day of the brand reads everything again, and writes what changed', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox, { timeZone: 'America/New_York' });
  await one.syncEach();
  await sandbox.serve({ ...files, posts: [aPost('1_1', '2026-11-18T10:00:00Z', 23)] }, later(24));
  await sandbox.asked();
  await one.syncAll({ now: later(24) });
  expect((await sandbox.asked()).toSorted()).toEqual([
    'GET /history',
    'GET /history/facebook',
    'GET /history/linkedin',
    'GET /user',
    'POST /analytics/post',
    'POST /analytics/post',
    'POST /analytics/social',
    'POST /analytics/social',
    'POST /analytics/social',
  ]);
  expect(
    await one.rows(
      'read_at, value',
      'raw.ayrshare_post_readings',
      "and id = 'facebook/1_1' and metric = 'likes'",
    ),
  ).toEqual([
    { read_at: new Date(NOW), value: '20' },
    { read_at: new Date(later(24)), value: '23' },
  ]);
  expect(await one.causes()).toEqual([]);
});

test('a day without a reading is a gap, 0 is read and unchanged, and another zone has other days', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox, { timeZone: 'America/New_York' });
  await one.syncEach();
  const [facebook, linkedin, gmb] = files.accounts ?? [];
  const moved = { ...facebook, analytics: { followersCount: 590 } };
  const more = { ...gmb, analytics: { ...(gmb as { analytics: object }).analytics, callClicks: 9 } };
  await sandbox.at(later(24));
  await one.syncAll({ now: later(24) });
  await sandbox.serve({ ...files, accounts: [moved, linkedin ?? {}, more] }, later(72));
  await one.syncAll({ now: later(72) });
  await one.roll(later(72));
  const columns = 'platform, day, followers, followers_gained, days_since_reading, likes, clicks, reach';
  const row = (platform: string, day: string, numbers: object) => ({
    ...{ platform, day: `2026-11-${day}`, likes: null, clicks: null, reach: null },
    ...numbers,
  });
  const numbers = "and day >= '2026-11-20' and platform in ('facebook', 'gmb')";
  expect(await one.rows(columns, 'bi.daily_social', numbers)).toEqual([
    row('facebook', '20', { followers: 600, followers_gained: null, days_since_reading: null, likes: 0 }),
    row('facebook', '21', { followers: 600, followers_gained: 0, days_since_reading: 1, likes: 0 }),
    row('facebook', '23', { followers: 590, followers_gained: -10, days_since_reading: 2, likes: 0 }),
    row('gmb', '20', { followers: null, followers_gained: null, days_since_reading: null }),
    row('gmb', '21', { followers: null, followers_gained: null, days_since_reading: 1, clicks: 0 }),
    row('gmb', '23', { followers: null, followers_gained: null, days_since_reading: 2, clicks: 3 }),
  ]);
  expect(await one.rows('post_id, likes, impressions, engagement_rate', 'bi.social_posts')).toEqual([
    { post_id: 'facebook/1_1', likes: 20, impressions: 200, engagement_rate: '0.1150' },
    { post_id: 'facebook/1_2', likes: 5, impressions: 50, engagement_rate: '0.1600' },
    { post_id: 'gmb/g1', likes: null, impressions: null, engagement_rate: null },
  ]);
});

test('one post is read again by its id, and the position stays', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  const position = () => one.rows('position', 'ops.positions', "and stream = 'ayrshare.post_metrics'");
  const before = await position();
  const again = { ...aPost('1_1', '2026-11-18T10:00:00Z', 31) };
  await sandbox.serve({ ...files, posts: [again] }, later(2));
  await sandbox.asked();
  await one.sync('post_metrics', { ids: ['facebook/1_1'], now: later(2) });
  expect(await sandbox.asked()).toEqual(['POST /analytics/post']);
  expect(
    await one.rows('value', 'raw.ayrshare_post_readings', "and id = 'facebook/1_1' and metric = 'likes'"),
  ).toEqual([{ value: '20' }, { value: '31' }]);
  expect(await position()).toEqual(before);
});

test('a scheduled post is of the day on which it went out, and one that is deleted goes', async () => {
  const sent = {
    ...{
      id: 'a1',
      post: 'Open on Sunday',
      status: 'success',
      type: 'scheduled',
      platforms: ['gmb'],
      errors: [],
    },
    ...{ created: '2026-11-10T12:00:00Z', scheduleDate: '2026-11-19T09:00:00Z' },
    postIds: [{ platform: 'gmb', id: 'g1', status: 'success' }],
  };
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox({ sent: [sent] });
  const one = await connectAyrshare(db, sandbox);
  await one.sync('sent_posts');
  const posts = () => one.rows('id, published_at', 'raw.ayrshare_posts', 'and deleted_at is null');
  expect(await posts()).toEqual([{ id: 'gmb/g1', published_at: new Date('2026-11-19T09:00:00Z') }]);
  const later = '2026-11-28T06:00:00Z';
  await sandbox.serve({ sent: [{ ...sent, status: 'deleted' }] }, later);
  await one.sync('sent_posts', { now: later });
  expect(await posts()).toEqual([]);
});
