/** The sandbox's SendGrid, asked by SendGrid's own client and by hand. */
import sendgrid from '@sendgrid/client';
import { expect, test } from 'vitest';
import { giftwareMailer } from '../../sandbox/sendgrid/builtin.ts';
import { statisticsOf } from '../../sandbox/sendgrid/statistics.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT, anEvent, KEY, type Scenario, sendgridSandbox } from '../support/providers/sendgrid.ts';

const BOUNCES = Array.from({ length: 501 }, (_, at) => ({
  created: 1_790_000_000 + at,
  email: `r${at}@example.com`,
}));

// Its types know only the instance that it exports.
const { Client } = sendgrid as unknown as { Client: new () => typeof sendgrid };

function clientOf({ url }: { url: string }, { key = KEY, host = 'sendgrid' } = {}) {
  const client = new Client();
  client.setApiKey(key);
  client.setDefaultRequest('baseUrl', `${url}/${host}/`); // setApiKey resets it to the real host
  return {
    client,
    async get(path: string) {
      const [answer] = await client.request({ method: 'GET', url: path });
      // biome-ignore lint/suspicious/noExplicitAny: answers of any path; the test that asked knows their shape
      return { headers: answer.headers as Record<string, string>, body: answer.body as any };
    },
    refused: (path: string) =>
      client.request({ method: 'GET', url: path }).then(
        () => 'allowed',
        ({ code, response }: { code: number; response?: { headers: object } }) => ({
          code,
          headers: response?.headers,
        }),
      ),
  };
}

const limited: Scenario = { accounts: { [ACCOUNT]: { limit: { count: 2, seconds: 3600 } } } };

test('SendGrid’s own client reads statistics, lists and logs', async () => {
  await using sandbox = await sendgridSandbox({
    events: [
      anEvent('processed', '2026-11-20T04:59:59Z'), // still the 19th in New York
      anEvent('delivered', '2026-11-20T05:00:00Z'),
      anEvent('open', '2026-11-20T05:00:01Z'),
      anEvent('open', '2026-11-20T05:00:02Z', { sg_event_id: 'again' }),
      anEvent('click', '2026-11-20T16:00:00Z'), // not yet
    ],
    bounces: BOUNCES,
  });
  const { get, client } = clientOf(sandbox);
  const { body } = await get('/v3/stats?start_date=2026-11-18');
  const counts = body.map(
    ({ date, stats: [{ metrics }] }: { date: string; stats: [{ metrics: object }] }) => [
      date,
      Object.entries(metrics).flatMap(([name, count]) => (count === 0 ? [] : `${name} ${count}`)),
    ],
  );
  expect(counts).toEqual([
    ['2026-11-18', []],
    ['2026-11-19', ['requests 1', 'processed 1']],
    ['2026-11-20', ['delivered 1', 'opens 2', 'unique_opens 1']],
  ]);
  expect((await get('/v3/categories')).body).toEqual([{ category: 'autumn' }]);
  const pages = [0, 500].map((offset) => get(`/v3/suppression/bounces?limit=500&offset=${offset}`));
  expect((await Promise.all(pages)).map((page) => page.body.length)).toEqual([500, 1]);
  const query = 'sg_message_id_created_at >= TIMESTAMP "2026-11-20T04:00:00Z" AND status IN (\'delivered\')';
  const [{ body: logs }] = await client.request({
    method: 'POST',
    url: '/v3/logs',
    body: { query, limit: 1000 },
  });
  expect(logs).toMatchObject({ messages: [{ sg_message_id: 'm1.filter.1.0', status: 'delivered' }] });
  expect((await get('/v3/logs/m1.filter.1.0')).body.events).toHaveLength(5); // with `received`, which no webhook brings
});

test('keys are of one region, and of one account unless they act for a subuser', async () => {
  const accounts = {
    [ACCOUNT]: {},
    sub: { parent: ACCOUNT },
    europe: { region: 'eu', key: 'SG.eu.key' },
  };
  await using sandbox = await sendgridSandbox({}, { accounts });
  const own = clientOf(sandbox);
  const europe = clientOf(sandbox, { key: 'SG.eu.key', host: 'sendgrid-eu' });
  expect((await own.get('/v3/user/username')).body.username).toBe(ACCOUNT);
  expect((await europe.get('/v3/user/username')).body.username).toBe('europe');
  expect(await europe.refused('/v3/marketing/singlesends')).toMatchObject({ code: 404 });
  const wrong = [clientOf(sandbox, { key: 'SG.eu.key' }), clientOf(sandbox, { key: 'SG.none.key' })];
  for (const one of wrong)
    expect(await one.refused('/v3/stats?start_date=2026-11-18')).toMatchObject({ code: 401 });
  own.client.setImpersonateSubuser('sub');
  expect((await own.get('/v3/user/username')).body.username).toBe('sub');
  own.client.setImpersonateSubuser('europe');
  expect(await own.refused('/v3/scopes')).toMatchObject({ code: 401 });
});

test('limits are told in every answer, and faults strike as they are set', async () => {
  await using sandbox = await sendgridSandbox({}, limited);
  const { get, refused } = clientOf(sandbox);
  expect((await get('/v3/scopes')).headers).toMatchObject({ 'x-ratelimit-remaining': '1' });
  await get('/v3/scopes');
  expect(await refused('/v3/scopes')).toMatchObject({ code: 429, headers: { 'x-ratelimit-remaining': '0' } });
  await setFaults(
    sandbox,
    { kind: 'status', on: 'sendgrid', status: 429, resetSeconds: 7 },
    { kind: 'revoked_scope', scope: 'templates.read' },
  );
  const fault = await refused('/v3/asm/groups');
  expect(fault).toMatchObject({ code: 429, headers: { 'x-ratelimit-reset': '7' } });
  expect(await refused('/v3/templates?page_size=1')).toMatchObject({ code: 403 });
  expect(await get('/v3/asm/groups')).toMatchObject({ body: [] });
});

test('the built-in mail is made up, the same each time, and its statistics follow from it', () => {
  const [one, again] = [giftwareMailer('Europe/London'), giftwareMailer('Europe/London')];
  expect(JSON.stringify(again.rows('events')) === JSON.stringify(one.rows('events'))).toBe(true);
  const now = Date.parse('2011-12-10T06:00:00Z');
  const on = (kind: string, name: string) =>
    statisticsOf(one)(kind, 'Europe/London', now).get(name)?.get('2010-12-02');
  expect([
    on('category', 'uk')?.processed,
    on('category', 'eire')?.processed,
    on('global', '')?.processed,
  ]).toEqual([120, 20, 250]);
  expect(on('singlesend', 'uk-2010-12-02')?.requests).toBe(120);
  expect(new Set(one.rows('events').map(({ sg_event_id }) => sg_event_id)).size).toBe(
    one.rows('events').length,
  );
});

test('SendGrid’s own client sends mail, and reads it back from the logs', async () => {
  await using sandbox = await sendgridSandbox({ unsubscribes: [{ created: 1, email: 'no@example.com' }] });
  const { client, get } = clientOf(sandbox);
  const letter = {
    personalizations: [
      { to: [{ email: 'ann@example.com' }, { email: 'no@example.com' }], custom_args: { run: '7' } },
    ],
    ...{ from: { email: 'news@example.com' }, subject: 'Hello', categories: ['autumn'] },
    content: [{ type: 'text/plain', value: 'A letter.' }],
  };
  const send = (body: object) => client.request({ method: 'POST', url: '/v3/mail/send', body });
  const [answer] = await send(letter);
  expect([answer.statusCode, answer.body]).toEqual([202, '']);
  const id = (answer.headers as Record<string, string>)['x-message-id'];
  const [{ body }] = await client.request({
    ...{ method: 'POST', url: '/v3/logs', body: { query: 'to_email = "ann@example.com"', limit: 10 } },
  });
  expect(body).toMatchObject({
    messages: [{ sg_message_id: `${id}.filter.sandbox.0`, status: 'delivered' }],
  });
  expect((await get(`/v3/logs/${id}.filter.sandbox.1`)).body).toMatchObject({
    ...{ to_email: 'no@example.com', status: 'dropped', custom_args: { run: '7' }, category: ['autumn'] },
  });
  const asTest = await send({ ...letter, mail_settings: { sandbox_mode: { enable: true } } });
  expect(asTest[0].statusCode).toBe(200);
  for (const wrong of [
    { ...letter, from: undefined },
    { ...letter, content: undefined },
    { ...letter, personalizations: [] },
  ])
    await expect(send(wrong)).rejects.toMatchObject({ code: 400 });
  await setFaults(sandbox, { kind: 'status', on: 'sendgrid', status: 502, match: 'mail/send', done: true });
  await expect(send(letter)).rejects.toMatchObject({ code: 502 });
  const { letters } = (await (await fetch(`${sandbox.url}/_sandbox/mail?account=${ACCOUNT}`)).json()) as {
    letters: object[];
  };
  expect(letters).toMatchObject([
    { to: 'ann@example.com', subject: 'Hello', custom_args: { run: '7' } },
    ...[{ to: 'no@example.com' }, { to: 'ann@example.com' }, { to: 'no@example.com' }],
  ]);
});

test('what the pages do not allow is refused in SendGrid’s shape, and no row is invented', async () => {
  const singlesends = Array.from({ length: 27 }, (_, n) => ({ id: `s${n}`, name: `Send ${n}` }));
  await using sandbox = await sendgridSandbox({ singlesends });
  const get = async (path: string) => {
    const answer = await fetch(`${sandbox.url}/sendgrid/v3/${path}`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    // biome-ignore lint/suspicious/noExplicitAny: answers of any path
    return { status: answer.status, body: (await answer.json()) as any };
  };
  const totals = 'marketing/stats/singlesends';
  const ids = (count: number) => Array.from({ length: count }, (_, n) => `s${n}`).join(',');
  for (const path of [
    'stats?start_date=2026-13-01',
    'stats?start_date=2026-02-30',
    'stats?start_date=2026-11-01&end_date=soon',
    'stats?start_date=2026-11-01&categories[]=a',
    'stats?start_date=2026-11-01&aggregated_by=week',
    'categories/stats?start_date=2026-11-01&categories[]=a',
    `${totals}?page_size=51`,
    `${totals}?page_size=0`,
    `${totals}?page_token=stale`,
    `${totals}?singlesend_ids=${ids(26)}`,
    `${totals}/s1?aggregated_by=day&start_date=2026-11-01&end_date=2026-11-02&timezone=Mars`,
    'templates?page_size=201',
    'suppression/bounces?limit=501',
    'suppression/bounces?offset=-1',
  ])
    expect(await get(path), path).toEqual({
      status: 400,
      body: { errors: [{ field: null, message: expect.any(String), help: null }], id: 'sandbox' },
    });
  const { body } = await get(`${totals}?singlesend_ids=s1,none&page_size=50`);
  expect(body.results.map(({ id }: { id: string }) => id)).toEqual(['s1']);
  expect((await get(`${totals}?singlesend_ids=${ids(25)}&page_size=50`)).body.results).toHaveLength(25);
  expect((await get('stats?start_date=2026-11-18&limit=1&offset=1')).body).toMatchObject([
    { date: '2026-11-19' },
  ]);
});

test('sums of categories, members of a group, and a clear word of what is not played', async () => {
  const event = (at: string, category: string, n: number) =>
    anEvent('delivered', at, { category: [category], sg_message_id: `${category}${n}` });
  await using sandbox = await sendgridSandbox({
    events: [
      event('2026-11-18T12:00:00Z', 'spring', 1),
      event('2026-11-18T12:00:00Z', 'autumn', 1),
      event('2026-11-19T12:00:00Z', 'autumn', 2),
    ],
    asm_groups: [{ id: 5, name: 'News' }],
    asm_suppressions: [
      { email: 'a@example.com', group_id: 5, created_at: 1 },
      { email: 'b@example.com', group_id: 6, created_at: 1 },
    ],
  });
  const { get, refused } = clientOf(sandbox);
  const sums = await get('/v3/categories/stats/sums?start_date=2026-11-01&end_date=2026-11-20');
  expect(sums.body).toMatchObject({
    stats: [
      { name: 'autumn', metrics: { delivered: 2, opens: 0 } },
      { name: 'spring', metrics: { delivered: 1 } },
    ],
  });
  expect((await get('/v3/asm/groups/5/suppressions')).body).toEqual(['a@example.com']);
  expect(await refused('/v3/asm/groups/9/suppressions')).toMatchObject({ code: 404 });
  for (const path of [
    'geo/stats',
    'messages',
    'marketing/stats/automations',
    'suppression/bounces/classifications',
  ])
    expect(await refused(`/v3/${path}`), path).toMatchObject({ code: 501 });
  expect(await refused('/v3/nothing')).toMatchObject({ code: 404 });
});
