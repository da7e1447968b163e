/** Faults of lists at SendGrid and Ayrshare, asked by hand. */
import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { API_KEY, anAccount, aPost, ayrshareDir, PROFILE } from '../support/providers/ayrshare.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { KEY, sendgridSandbox } from '../support/providers/sendgrid.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of any path; the test that asked knows their shape
type Body = { status: number; body: any };

const from = async (
  { url }: { url: string },
  path: string,
  headers: object,
  body?: object,
): Promise<Body> => {
  const request = body && { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`${url}${path}`, { headers: { ...headers }, ...request });
  return { status: answer.status, body: await answer.json() };
};
const mail = (sandbox: { url: string }) => (path: string) =>
  from(sandbox, `/sendgrid/v3/${path}`, { authorization: `Bearer ${KEY}` });

async function faultsOf({ url }: { url: string }): Promise<object[]> {
  const { faults } = (await (await fetch(`${url}/_sandbox/faults`)).json()) as { faults: object[] };
  return faults;
}

const bounces = [1, 2, 3, 4, 5, 6].map((n) => ({ created: 1_763_000_000 + n, email: `${n}@x.com` }));
const sends = [1, 2, 3].map((n) => ({ id: `s${n}`, name: 'new', status: 'draft' }));

test('lists of SendGrid: repeated, reordered, with rows that are late', async () => {
  await using sandbox = await sendgridSandbox({ bounces });
  const get = mail(sandbox);
  const page = async (offset: number) =>
    (await get(`suppression/bounces?limit=2&offset=${offset}`)).body.map(({ email }: { email: string }) =>
      Number(email[0]),
    );
  await setFaults(sandbox, { kind: 'repeat_page' }, { kind: 'reorder_page', after: 2 });
  expect([await page(0), await page(2), await page(2), await page(4)]).toEqual([
    [1, 2],
    [1, 2],
    [4, 3],
    [5, 6],
  ]);
  expect(await faultsOf(sandbox)).toMatchObject([
    { seen: 3, struck: 1 },
    { seen: 4, struck: 1 },
  ]);
  await setFaults(sandbox, { kind: 'late_rows', ids: ['2@x.com', '2026-11-19'], requests: 2 });
  expect(await page(0)).toEqual([1, 3]);
  const days = (await get('stats?start_date=2026-11-18')).body.map(({ date }: { date: string }) => date);
  expect(days).toEqual(['2026-11-18', '2026-11-20']);
  expect(await page(0)).toEqual([1, 2]);
});

test('lists of SendGrid by token: a token that is over, the page before, and an older version', async () => {
  await using sandbox = await sendgridSandbox({ singlesends: [{ ...sends[0], name: 'old' }, ...sends] });
  const get = mail(sandbox);
  const page = async (token = '') => {
    const { status, body } = await get(`marketing/singlesends?page_size=2${token}`);
    return [
      status,
      body.result?.map(({ id }: { id: string }) => id),
      body._metadata?.next?.split('token=')[1],
    ];
  };
  const second = '&page_token=2';
  await setFaults(sandbox, { kind: 'expired_cursor' }, { kind: 'repeat_page' });
  expect(await page()).toEqual([200, ['s1', 's2'], '2']);
  expect(await page(second)).toEqual([400, undefined, undefined]);
  expect(await page(second)).toEqual([200, ['s1', 's2'], '2']);
  expect(await page(second)).toEqual([200, ['s3'], undefined]);
  await setFaults(sandbox, { kind: 'older_version', ids: ['s1', 's2'] });
  const name = async () => (await get('marketing/singlesends/s1')).body.name;
  expect([await name(), await name()]).toEqual(['old', 'new']);
});

test('lists of Ayrshare: repeated, reordered, late, a cursor that is over, and older numbers', async () => {
  const posts = [1, 2, 3, 4].map((n) => aPost(`1_${n}`, `2026-11-1${n}T10:00:00Z`, n));
  const older = anAccount('facebook', { followersCount: 1 });
  const accounts = [older, { ...older, analytics: { followersCount: 2 } }];
  await using data = await ayrshareDir({ posts, accounts }, { 'ref-b': { apiKey: API_KEY } });
  await using sandbox = await startSandbox({ data: data.dir });
  const headers = { authorization: `Bearer ${API_KEY}`, 'profile-key': `${PROFILE}-key` };
  const page = async (next?: string) => {
    const more = next === undefined ? '' : `&next=${next}`;
    const { status, body } = await from(sandbox, `/ayrshare/history/facebook?limit=2${more}`, headers);
    return { status, ids: body.posts?.map(({ id }: { id: string }) => id), ...body.meta?.pagination };
  };
  const first = await page();
  expect(first).toMatchObject({ ids: ['1_4', '1_3'], hasMore: true });
  await setFaults(sandbox, { kind: 'expired_cursor' }, { kind: 'repeat_page' });
  expect(await page(first.next)).toEqual({ status: 400, ids: undefined });
  expect(await page(first.next)).toEqual(first);
  await setFaults(sandbox, { kind: 'reorder_page' }, { kind: 'late_rows', ids: ['1_4'], requests: 1 });
  expect(await page()).toMatchObject({ ids: ['1_2', '1_3'] });
  expect(await page()).toMatchObject({ ids: ['1_4', '1_3'] });
  await setFaults(sandbox, { kind: 'older_version', ids: ['facebook'] });
  const followers = async () =>
    (await from(sandbox, '/ayrshare/analytics/social', headers, { platforms: ['facebook'] })).body.facebook
      .analytics.followersCount;
  expect([await followers(), await followers()]).toEqual([1, 2]);
  const profiles = async (query: string) => (await from(sandbox, `/ayrshare/profiles${query}`, headers)).body;
  const { nextCursor } = await profiles('?limit=1');
  expect(await profiles(`?limit=1&cursor=${nextCursor}`)).toMatchObject({
    ...{ profiles: [{ refId: 'ref-b' }], hasMore: false },
  });
});

test('what a provider cannot show is refused, and says what it shows', async () => {
  await using sandbox = await sendgridSandbox();
  const refused = async (fault: object) => {
    const answer = await setFaults(sandbox, fault);
    return [answer.status, ((await answer.json()) as { errors: string }).errors];
  };
  expect(await refused({ kind: 'throttled', account: 'acme' })).toEqual([
    400,
    expect.stringMatching(
      /^faults\[0\].kind: "throttled" cannot strike "acme": sendgrid shows status, .*late_logs/,
    ),
  ]);
  expect(await refused({ kind: 'slow', ms: 1, account: 'acme' })).toEqual([
    400,
    'faults[0].on: "graphql" is not asked of "acme", which is of sendgrid',
  ]);
});
