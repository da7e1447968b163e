/** What goes wrong between a profile and us, and what it leaves alone. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import {
  API_KEY,
  anAccount,
  aPost,
  ayrshareSandbox,
  connectAyrshare,
  type Files,
  later,
  PROFILE,
} from '../support/providers/ayrshare.ts';

const files: Files = {
  accounts: [
    anAccount('facebook', { followersCount: 600 }),
    anAccount('instagram', { followersCount: 1500, reachCount: 50 }),
    anAccount('linkedin', { followers: { totalFollowerCount: 2310 } }),
  ],
  posts: [
    aPost('1_1', '2026-11-18T10:00:00Z', 20),
    aPost('i1', '2026-11-18T11:00:00Z', 70, {
      platform: 'instagram',
      analytics: { likeCount: 70, savedCount: 9, reachCount: 640, viewsCount: 902, sharesCount: 12 },
    }),
  ],
};
const refusal = (platform: string, code: number, more: object = {}) => ({ platform, code, ...more });

test('a network that must be linked again is named, and the others are read', async () => {
  await using db = await freshDb();
  const all = { ...files, posts: [...(files.posts ?? []), aPost('1_0', '2026-02-01T10:00:00Z', 7)] };
  await using sandbox = await ayrshareSandbox({ ...all, refusals: [refusal('facebook', 156)] });
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  const cause = expect.stringContaining('facebook has to be linked again in Ayrshare: 156');
  expect(await one.causes()).toEqual([
    { stream: 'ayrshare.account_metrics', state: 'partial', cause },
    { stream: 'ayrshare.posts', state: 'partial', cause },
  ]);
  expect(await one.rows('id, value', 'raw.ayrshare_account_readings', "and metric = 'followers'")).toEqual([
    { id: 'instagram', value: '1500' },
    { id: 'linkedin', value: '2310' },
  ]);
  expect(await one.rows('id', 'raw.ayrshare_posts')).toEqual([{ id: 'instagram/i1' }]);
  // By the hour a broken link is not asked again; by day it is, and heals.
  await sandbox.at(later(1));
  await one.syncAll({ now: later(1) });
  await sandbox.serve(all, later(24));
  await one.syncAll({ now: later(24) });
  expect(await one.causes()).toEqual([]);
  expect(await one.rows('id', 'raw.ayrshare_posts')).toHaveLength(3); // with its history
});

test('whatever is said of one network stops no other, in a list or together with others', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox);
  await sandbox.faults(
    { kind: 'status', on: 'ayrshare', status: 403, match: '/history/facebook', count: 0 },
    { kind: 'status', on: 'ayrshare', status: 400, match: '"facebook"', count: 0 },
    { kind: 'status', on: 'ayrshare', status: 503, retryAfter: 100, match: '"linkedin"', count: 0 },
  );
  await one.syncEach();
  expect(await one.rows('id', 'raw.ayrshare_posts')).toEqual([{ id: 'instagram/i1' }]);
  const followers = () => one.rows('id', 'raw.ayrshare_account_readings', "and metric = 'followers'");
  expect(await followers()).toEqual([{ id: 'instagram' }]);
  const [accounts, posts] = await one.causes();
  expect(accounts?.cause).toMatch(/facebook cannot be read.*; linkedin cannot be read/);
  expect(posts?.cause).toMatch(/facebook cannot be read/);
  await sandbox.faults({ kind: 'status', on: 'ayrshare', status: 400, match: ',"', count: 0 }); // several in one
  await sandbox.at(later(1));
  await one.syncAll({ now: later(1) });
  expect(await followers()).toEqual([{ id: 'instagram' }, { id: 'linkedin' }]);
});

test('a profile that was suspended is seen to be well with the next run', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files, { [PROFILE]: { suspended: true } });
  const one = await connectAyrshare(db, sandbox);
  await db.query('update app.connections set account_asked_at = now()');
  await one.sync('profiles');
  expect(await one.causes()).toMatchObject([{ cause: expect.stringContaining('suspended') }]);
  await sandbox.serve(files, later(1), {});
  await one.sync('profiles', { now: later(1) });
  expect(await one.causes()).toEqual([]);
});

test('posts that are listed leave what single posts have set aside', async () => {
  const post = aPost('1_1', '2026-11-18T10:00:00Z', 5, { analytics: { mediaView: 'many' } });
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox({ accounts: files.accounts ?? [], posts: [post] });
  const one = await connectAyrshare(db, sandbox);
  const aside = () => one.rows('stream, row_key', 'ops.rejected_rows');
  for (const stream of ['posts', 'post_metrics']) await one.sync(stream);
  const rejected = [{ stream: 'ayrshare.post_metrics', row_key: 'facebook/1_1' }];
  expect(await aside()).toEqual(rejected);
  await one.sync('posts', { full: true });
  expect(await aside()).toEqual(rejected);
});

test('by the hour one broken network in a common answer spoils no other', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  const moved = [
    anAccount('facebook', { followersCount: 700 }),
    anAccount('instagram', { followersCount: 1501 }),
    anAccount('linkedin', { followers: { totalFollowerCount: 2311 } }),
  ];
  const accounts = { ...files, accounts: moved };
  await sandbox.serve({ ...accounts, refusals: [refusal('facebook', 161)] }, later(1));
  await one.syncAll({ now: later(1) });
  const followers = "and metric = 'followers' and read_at > '2026-11-20T06:30:00Z'";
  expect(await one.rows('id, value', 'raw.ayrshare_account_readings', followers)).toEqual([
    { id: 'instagram', value: '1501' },
    { id: 'linkedin', value: '2311' },
  ]);
  expect((await one.causes()).map(({ stream }) => stream)).toContain('ayrshare.account_metrics');
});

test('code 187 writes nothing: empty where there never were numbers, suspect where there were', async () => {
  await using db = await freshDb();
  const [facebook, ...others] = files.accounts ?? [];
  const empty = { ...facebook, analytics: undefined };
  await using sandbox = await ayrshareSandbox({ ...files, accounts: [empty, ...others] });
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  expect(await one.causes()).toEqual([]);
  const read = () => one.rows('count(*)', 'raw.ayrshare_account_readings', "and metric = 'followers'");
  expect(await read()).toEqual([{ count: 2 }]);
  const gone = (files.accounts ?? []).map((account) => ({ ...account, analytics: undefined }));
  await sandbox.serve({ ...files, accounts: gone }, later(24));
  await one.syncAll({ now: later(24) });
  expect(await read()).toEqual([{ count: 2 }]);
  const [only] = await one.causes();
  expect(only?.stream).toBe('ayrshare.account_metrics');
  expect(only?.cause).toMatch(/instagram gave numbers until .* and gives none now/);
  expect(only?.cause).not.toContain('facebook');
});

test('numbers without a successor are null, and a number that is none is set aside', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox({
    accounts: [
      anAccount('facebook', { fanCount: 587, pagePostsImpressionsUnique: 97, pagePostsImpressions: 124 }),
      anAccount('instagram', { followersCount: 'many' }),
      anAccount('youtube', { subscriberCount: '67', viewCount: '5120', views: 44 }),
    ],
    posts: [
      {
        ...{ platform: 'instagram', id: 'i1', created: '2026-11-18T11:00:00Z', likeCount: 1 },
        analytics: { likeCount: 1, impressionsCount: 500 },
      },
      { platform: 'facebook', id: '1_1', created: '2026-11-18T11:00:00Z', likeCount: 'x' },
    ],
  });
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  const numbers = "and metric not like 'read %'";
  expect(await one.rows('id, metric, value', 'raw.ayrshare_account_readings', numbers)).toEqual([
    { id: 'facebook', metric: 'followers', value: '587' },
    { id: 'youtube', metric: 'followers', value: '67' },
    { id: 'youtube', metric: 'video_views', value: '5120' },
  ]);
  expect(await one.rows('id, metric', 'raw.ayrshare_post_readings')).toEqual([
    { id: 'instagram/i1', metric: 'likes' },
  ]);
  // The raw answers keep what no map knows.
  expect(await one.rows('id, payload', 'raw.ayrshare_snapshots', "and source = 'analytics'")).toEqual([
    { id: 'instagram/i1', payload: { likeCount: 1, impressionsCount: 500 } },
  ]);
  expect(await one.rows('row_key, reason', 'ops.rejected_rows')).toEqual([
    { row_key: 'facebook/1_1', reason: 'likeCount: no whole number' },
    { row_key: 'instagram', reason: 'followersCount: no whole number' },
  ]);
  await one.roll();
  expect(await one.rows('platform, reach', 'bi.daily_social', "and day = '2026-11-20'")).toMatchObject([
    { platform: 'facebook', reach: null },
    { platform: 'instagram', reach: null },
    { platform: 'youtube', reach: null },
  ]);
});

test('an answer for another profile is refused before anything of it is stored', async () => {
  await using db = await freshDb();
  const primary = { apiKey: API_KEY, primary: true };
  await using sandbox = await ayrshareSandbox(
    { ...files, 'ref-primary/posts': [aPost('9_9', '2026-11-18T10:00:00Z', 1)] },
    { 'ref-primary': primary, 'ref-other': { apiKey: API_KEY } },
  );
  const lost = await connectAyrshare(db, sandbox, { auth: 'primary' });
  const other = await connectAyrshare(db, sandbox, {
    secret: JSON.stringify({ api_key: API_KEY, profile_key: 'ref-other-key' }),
  });
  const half = await connectAyrshare(db, sandbox, { secret: JSON.stringify({ api_key: API_KEY }) });
  for (const profile of [lost, other])
    await expect(profile.sync('posts')).rejects.toMatchObject({
      code: 'NS_ACCOUNT_DIFFERS',
      verdict: 'hold',
    });
  await sandbox.asked();
  await expect(half.sync('posts')).rejects.toMatchObject({ code: 'NS_KEY_UNFIT' });
  expect(await sandbox.asked()).toEqual([]);
  // Also later, when the key was checked long ago.
  const ours = await connectAyrshare(db, sandbox);
  await ours.syncEach();
  await sandbox.serve({}, later(1), {
    [PROFILE]: { profileKey: 'new' },
    'ref-x': { apiKey: API_KEY, profileKey: `${PROFILE}-key` },
  });
  await expect(ours.sync('posts', { now: later(1) })).rejects.toMatchObject({ code: 'NS_ACCOUNT_DIFFERS' });
  expect(await db.column('select count(*) from raw.ayrshare_posts')).toEqual([2]);
});

test('a limit of the profile stops all its requests, and many of them stop it for long', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files);
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  await sandbox.at(later(1));
  await sandbox.asked();
  await sandbox.faults({ kind: 'status', on: 'ayrshare', status: 429, count: 1 });
  const limited = { code: 'NS_RATE_LIMITED', retryAfterMs: 300_000 };
  await expect(one.sync('posts', { now: later(1) })).rejects.toMatchObject(limited);
  expect(await sandbox.asked()).toHaveLength(1);
  const budgets = await db.rows(
    `select account, floor(available) as available, blocked_until > now() + interval '4 minutes' as blocked
     from ops.rate_budgets where provider = 'ayrshare' order by account`,
  );
  expect(budgets).toMatchObject([
    { account: PROFILE, blocked: true },
    { account: `${PROFILE} refusals`, available: '49' },
  ]);
  await db.query('update ops.rate_budgets set blocked_until = null, available = least(available, 0)');
  await db.query('update ops.rate_budgets set available = 60 where account = $1', [PROFILE]);
  await sandbox.faults({ kind: 'status', on: 'ayrshare', status: 429, count: 0 });
  const error = await one.sync('posts', { now: later(1) }).catch((reason: unknown) => reason);
  expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(20 * 60_000);
});

test('a limit of a network is none of the profile: only that network rests', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox({ ...files, refusals: [refusal('facebook', 444)] });
  const one = await connectAyrshare(db, sandbox);
  await one.syncEach();
  expect(await one.rows('id', 'raw.ayrshare_posts')).toEqual([{ id: 'instagram/i1' }]);
  expect(await one.causes()).toMatchObject([
    { stream: 'ayrshare.account_metrics', cause: expect.stringContaining('facebook limits Ayrshare until') },
    { stream: 'ayrshare.posts' },
  ]);
  expect(await db.column('select count(*) from ops.rate_budgets where blocked_until is not null')).toEqual([
    0,
  ]);
});

test('a suspended profile is held until a person acts', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(files, { [PROFILE]: { suspended: true } });
  const one = await connectAyrshare(db, sandbox);
  await expect(one.sync('user')).rejects.toMatchObject({ code: 'NS_ACCOUNT_SUSPENDED', verdict: 'hold' });
});

test('a first load that breaks off goes on behind its last page, and nothing is there twice', async () => {
  await using db = await freshDb();
  const posts = Array.from({ length: 230 }, (_, index) =>
    aPost(`1_${index}`, new Date(Date.parse('2026-01-01T00:00:00Z') + index * 60_000).toISOString(), index),
  );
  await using sandbox = await ayrshareSandbox({ accounts: files.accounts ?? [], posts });
  const one = await connectAyrshare(db, sandbox);
  await sandbox.faults({ kind: 'status', on: 'ayrshare', status: 429, match: 'next=', after: 1 });
  await expect(one.sync('posts')).rejects.toMatchObject({ code: 'NS_RATE_LIMITED' });
  await db.query('update ops.rate_budgets set blocked_until = null');
  expect(await one.rows('count(*)', 'raw.ayrshare_posts')).toEqual([{ count: 200 }]);
  await sandbox.asked();
  await one.sync('posts');
  expect((await sandbox.asked()).filter((path) => path.endsWith('/facebook'))).toHaveLength(1);
  expect(await one.rows('count(*)', 'raw.ayrshare_posts')).toEqual([{ count: 230 }]);
  expect(await one.rows('count(*)', 'raw.ayrshare_post_readings', "and metric = 'likes'")).toEqual([
    { count: 230 },
  ]);
  expect(await one.sync('posts', { full: true })).toMatchObject({ changed: 0 });
});
