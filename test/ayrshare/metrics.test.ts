/** The map of fields to numbers, against the map that was written down from Ayrshare's own checks. */
import { readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bodyOf, networksOf, Refused } from '#connectors/ayrshare/api/answers.ts';
import {
  accountMetrics,
  fieldsOf,
  type MetricMap,
  postMetrics,
  readMetrics,
} from '#connectors/ayrshare/metrics.ts';
import { redefinitionsOf, retirements } from '#connectors/ayrshare/retirements.ts';
import { nextOf } from '#connectors/ayrshare/streams/post_metrics.ts';

type Fixture = {
  name: string;
  request: { path: string; body?: { platforms?: string[] } };
  response: { status: number; headers: Record<string, string>; body: Record<string, unknown> };
};
type Written = Record<string, Record<string, string | string[] | null>>;
type Fixtures = { endpoints: Fixture[]; metricMap: { post: Written; account: Written } };

const fixtures: Fixtures = JSON.parse(
  gunzipSync(readFileSync(new URL('../data/ayrshare-fixtures.json.gz', import.meta.url))).toString(),
);

/** "First present", with `+` for a sum, in the words of our map. */
function inOurWords(sources: string | string[] | null): string[] {
  if (sources === null) return [];
  const [first = '', ...more] = [sources].flat();
  const isSum = more.some((one) => one.startsWith('+'));
  return isSum ? [[first, ...more.map((one) => one.slice(1))].join(' + ')] : [first, ...more];
}

// The newer page replaces these of the file; a lifetime number is what differences are taken of.
const REPLACED: Record<string, string[]> = {
  'post.facebook.likes': ['reactions.total', 'likeCount'],
  'account.facebook.impressions': ['pageMediaView'],
  'account.facebook.reach': [],
  'account.youtube.followers': ['subscriberCount'],
  'account.youtube.video_views': ['viewCount'],
};

test('each number is read from the field that is written down for it', () => {
  for (const [level, ours] of [
    ['post', postMetrics],
    ['account', accountMetrics],
  ] as const)
    for (const [platform, metrics] of Object.entries(fixtures.metricMap[level]))
      for (const [metric, sources] of Object.entries(metrics)) {
        const place = `${level}.${platform}.${metric}`;
        const found = [(ours as MetricMap)[platform]?.[metric] ?? []].flat();
        expect([place, found]).toEqual([place, REPLACED[place] ?? inOurWords(sources)]);
      }
});

test('no number is read from a field that is gone, and those that mean something else are told apart by day', () => {
  const read = {
    'ayrshare.post_metrics': fieldsOf(postMetrics),
    'ayrshare.account_metrics': fieldsOf(accountMetrics),
  };
  const isRead = ({ stream, name }: { stream: string; name: string }) =>
    [...read[stream as keyof typeof read]].some((field) => matchesGlob(field, name));
  for (const { field, isRedefined } of retirements)
    if (field && !isRedefined) expect([field, isRead(field)]).toEqual([field, false]);
  expect(read['ayrshare.post_metrics'].has('facebook.mediaView')).toBe(true);
  const [post, account] = Object.keys(read) as [string, string];
  const at = (day: string) => new Date(`2026-08-${day}`);
  expect(redefinitionsOf(post, 'youtube', 'views', at('26T23:59:59.999Z'))).toBe(0);
  expect(redefinitionsOf(post, 'youtube', 'views', at('27T00:00:00Z'))).toBe(1);
  expect(redefinitionsOf(account, 'youtube', 'likes + viewCount', at('28T00:00:00Z'))).toBe(1);
  expect(redefinitionsOf(post, 'youtube', 'likes', at('28T00:00:00Z'))).toBe(0);
  expect(redefinitionsOf(post, 'threads', 'views', at('28T00:00:00Z'))).toBe(0);
});

const requested = { connection: { id: 'c', name: 'c', brand: 'b' }, account: 'ref', path: '/x' };
const answerOf = ({ response: { status, headers, body } }: Fixture) => ({
  status,
  headers,
  text: JSON.stringify(body),
});

test('recorded answers are understood, network by network', () => {
  const analytics = fixtures.endpoints.filter(
    ({ request: { path }, response: { status } }) =>
      path.startsWith('/analytics/') && !path.includes('links') && status === 200,
  );
  expect(analytics.length).toBeGreaterThan(5);
  for (const fixture of analytics) {
    const body = bodyOf(answerOf(fixture), requested);
    const asked =
      fixture.request.body?.platforms ?? Object.keys(postMetrics).filter((platform) => platform in body);
    const map = fixture.request.path.endsWith('post') ? postMetrics : accountMetrics;
    for (const [platform, found] of networksOf(body, asked)) {
      if (found instanceof Refused) expect(['unlinked', 'empty']).toContain(found.kind);
      else
        expect(
          readMetrics(map, platform, found[0]?.analytics as object as Record<string, unknown>),
        ).not.toEqual([]);
    }
  }
  const partial = fixtures.endpoints.find(({ name }) => name.includes('Google Business'));
  const networks = networksOf(bodyOf(answerOf(partial as Fixture), requested), ['gmb', 'facebook']);
  expect(networks.get('facebook')).toMatchObject({ kind: 'unlinked' });
  const [gmb] = networks.get('gmb') as { analytics: Record<string, unknown> }[];
  expect(readMetrics(accountMetrics, 'gmb', gmb?.analytics ?? {})).toContainEqual({
    ...{ metric: 'clicks', value: 52, field: 'websiteClicks + callClicks + businessDirectionRequests' },
  });
});

test('the code of an error decides before its status', () => {
  const failing = (status: number, body: object) => {
    try {
      return bodyOf({ status, headers: {}, text: JSON.stringify(body) }, requested);
    } catch (error) {
      return error;
    }
  };
  for (const status of [200, 400, 404, 500])
    expect(failing(status, { status: 'error', code: 187 })).toMatchObject({ kind: 'empty' });
  expect(failing(429, { status: 'error', code: 444, platform: 'facebook' })).toMatchObject({
    kind: 'throttled',
  });
  expect(failing(429, { status: 'error', code: 429 })).toMatchObject({
    failure: { code: 'NS_RATE_LIMITED' },
  });
  expect(failing(400, { status: 'error', code: 999, retryAvailable: true })).toMatchObject({
    failure: { code: 'NS_PROVIDER_UNAVAILABLE' },
  });
  expect(
    failing(400, { status: 'error', errors: [{ status: 'error', code: 156, platform: 'linkedin' }] }),
  ).toMatchObject({
    ...{ kind: 'unlinked', platform: 'linkedin' },
  });
  expect(failing(401, { status: 'error' })).toMatchObject({ code: 'NS_CREDENTIALS_REJECTED' });
  expect(failing(403, { status: 'error', message: 'User Profile suspended.' })).toMatchObject({
    code: 'NS_ACCOUNT_SUSPENDED',
  });
  expect(failing(403, { status: 'error', message: 'Plan' })).toMatchObject({ code: 'NS_SCOPE_MISSING' });
  expect(failing(400, { status: 'error', code: 9 })).toMatchObject({ code: 'NS_REQUEST_REFUSED' });
});

test('where one network was asked, an error without a network is its own', () => {
  const body = { status: 'partial', errors: [{ status: 'error', code: 156, message: 'not linked' }] };
  expect(networksOf(body, ['facebook']).get('facebook')).toMatchObject({ kind: 'unlinked' });
  expect(networksOf(body, ['facebook', 'tiktok']).get('facebook')).toMatchObject({ kind: 'empty' });
});

test('of more posts than a night asks for each has its turn, and a network without numbers takes few', () => {
  const post = (platform: string) => (_: unknown, index: number) => ({
    ...{ id: `${platform}/${index}`, platform, published_at: new Date(index) },
  });
  const lacking = Array.from({ length: 200 }, post('facebook'));
  const first = nextOf({ networks: {} }, lacking);
  expect([first.asked[0]?.id, first.asked.length, first.left]).toEqual(['facebook/199', 150, 50]);
  const lastAsked = first.asked.at(-1)?.id;
  const second = nextOf({ networks: {}, lastAsked }, lacking);
  expect(new Set([...first.asked, ...second.asked].map(({ id }) => id)).size).toBe(200);
  const all = [...lacking.slice(0, 10), ...Array.from({ length: 200 }, post('linkedin'))];
  const muted = nextOf({ networks: { linkedin: { isMute: true } } }, all);
  expect([muted.asked.length, muted.left]).toEqual([15, 0]);
});
