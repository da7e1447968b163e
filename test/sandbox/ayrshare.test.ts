/** The sandbox's Ayrshare, asked by hand. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { API_KEY, anAccount, aPost, ayrshareSandbox, PROFILE } from '../support/providers/ayrshare.ts';

let sandbox: Awaited<ReturnType<typeof ayrshareSandbox>>;
beforeAll(async () => {
  sandbox = await ayrshareSandbox({
    accounts: [anAccount('facebook', { followersCount: 600 }), anAccount('twitter', { followersCount: 7 })],
    posts: [
      aPost('1_1', '2026-11-18T10:00:00Z', 20),
      { platform: 'twitter', id: 'x1', created: '2026-11-18T10:00:00Z', analytics: { likes: 3 } },
    ],
    sent: [
      {
        ...{
          id: 'sent1',
          status: 'success',
          created: '2026-11-18T10:00:00Z',
          platforms: ['facebook', 'twitter'],
        },
        postIds: [
          { platform: 'facebook', id: '1_1', status: 'success' },
          { platform: 'twitter', id: 'x1', status: 'success' },
        ],
      },
    ],
  });
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const HEADERS = { authorization: `Bearer ${API_KEY}`, 'profile-key': `${PROFILE}-key` };
const X = { 'x-twitter-oauth1-api-key': 'key', 'x-twitter-oauth1-api-secret': 'secret' };

async function ask(path: string, { body, headers = {} }: { body?: object; headers?: object } = {}) {
  const request = body && { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`${sandbox.url}/ayrshare/${path}`, {
    ...{ headers: { ...HEADERS, ...headers }, ...request },
  });
  return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) };
}
const social = (platforms: readonly string[], headers = {}) =>
  ask('analytics/social', { body: { platforms }, headers });

test('whatever concerns X takes the keys of an app, in a list and together with others', async () => {
  const refusal = { platform: 'twitter', message: expect.stringContaining('x-twitter-oauth1-api-secret') };
  const half = { 'x-twitter-oauth1-api-key': 'key' };
  const post = { id: 'x1', platforms: ['twitter'], searchPlatformId: true };
  for (const headers of [{}, half]) {
    expect(await ask('history/twitter', { headers })).toMatchObject({ status: 'error', ...refusal });
    expect(await social(['twitter'], headers)).toMatchObject({ status: 'error', ...refusal });
    expect(await ask('analytics/post', { body: post, headers })).toMatchObject({
      status: 'error',
      ...refusal,
    });
  }
  const partial = await social(['facebook', 'twitter']);
  expect(partial).toMatchObject({ status: 'partial', facebook: { analytics: {} }, errors: [refusal] });
  expect(await ask('history/twitter', { headers: X })).toMatchObject({ posts: [{ id: 'x1' }] });
  expect(await social(['facebook', 'twitter'], X)).toMatchObject({ status: 'success', twitter: {} });
});

test('a network that is not linked is refused with code 156, alone or among others', async () => {
  expect(await social(['linkedin'])).toMatchObject({ code: 156, platform: 'linkedin' });
  expect(await ask('history/linkedin')).toMatchObject({ code: 156, platform: 'linkedin' });
  expect(await social(['facebook', 'linkedin'])).toMatchObject({
    ...{ status: 'partial', facebook: { analytics: { followersCount: 600 } } },
    errors: [{ code: 156, platform: 'linkedin' }],
  });
});

test('no more than 5,000 profiles are listed at once', async () => {
  expect(await ask('profiles?limit=5001')).toMatchObject({ status: 'error', message: 'limit is not valid.' });
  expect(await ask('profiles?limit=5000')).toMatchObject({ hasMore: false });
});

test('what is not played says so', async () => {
  for (const path of ['analytics/links', 'comments/1', 'reviews'])
    expect(await ask(path)).toMatchObject({
      ...{ status: 'error', message: `The sandbox does not play GET /${path}.` },
    });
});

test('a post that was sent has its numbers on each network, or says which one refuses', async () => {
  const post = (body: object, headers = {}) =>
    ask('analytics/post', { body: { id: 'sent1', ...body }, headers });
  expect(await post({}, X)).toMatchObject({
    ...{ id: 'sent1', status: 'success', code: 200 },
    ...{
      facebook: { id: '1_1', analytics: { likeCount: 20 } },
      twitter: { id: 'x1', analytics: { likes: 3 } },
    },
  });
  expect(await post({ platforms: ['facebook'] })).toMatchObject({
    status: 'success',
    facebook: { id: '1_1' },
  });
  expect(await post({})).toMatchObject({ status: 'partial', errors: [{ platform: 'twitter' }] });
  expect(await post({ id: 'unknown' })).toMatchObject({ status: 'error', code: 186 });
  expect(await post({ searchPlatformId: true })).toMatchObject({ status: 'error' });
});
