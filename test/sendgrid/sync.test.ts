/** SendGrid's streams, read from the sandbox by the jobs of production. */
import { expect, test } from 'vitest';
import { streamsOf } from '#connectors/providers.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { freshDb } from '../support/db/db.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import {
  ACCOUNT,
  aCount,
  anEvent,
  asked,
  connectSendGrid,
  forget,
  NOW,
  sendgridSandbox,
  serve,
  streamNames,
} from '../support/providers/sendgrid.ts';
import { aRetailer } from '../support/rows/factory.ts';

const allTables = new Set(streamsOf('sendgrid').flatMap(({ tables }) => tables));
const LATER = '2026-11-20T18:00:00Z'; // the same day in New York
const TOMORROW = '2026-11-21T15:00:00Z';

const send = (id: string, more: object = {}) => ({
  ...{ id, name: `Send ${id}`, status: 'triggered', categories: ['autumn'], send_at: '2026-11-18T15:00:00Z' },
  ...{ created_at: '2026-11-17T15:00:00Z', updated_at: '2026-11-18T15:00:00Z', is_abtest: false },
  ...{ send_to: { list_ids: ['l1'], segment_ids: [], all: false }, ...more },
});

const files = {
  events: [
    anEvent('processed', '2026-11-18T15:00:00Z', { singlesend_id: 's1', _subuser: 'sub' }),
    anEvent('delivered', '2026-11-19T04:59:59Z', { singlesend_id: 's1' }), // still the 18th in New York
    anEvent('open', '2026-11-19T05:00:00Z', { singlesend_id: 's1' }),
    anEvent('bounce', '2026-11-20T10:00:00Z', {
      email: 'Gone@Example.com',
      type: 'bounce',
      status: '5.1.1',
      reason: 'no such gone@example.com',
    }),
    anEvent('unsubscribe', '2026-11-20T17:00:00Z'), // in the hour before LATER
  ],
  singlesends: [send('s1'), send('s2', { send_to: { list_ids: [], segment_ids: [], all: true } })],
  subusers: [{ id: 7, username: 'sub', email: 'sub@example.com', disabled: false }],
  templates: [{ id: 't1', name: 'Letter', generation: 'dynamic', updated_at: '2020-11-12 12:00:09' }],
  asm_groups: [{ id: 5, name: 'News', description: '', is_default: true, unsubscribes: 1 }],
  asm_suppressions: [
    { email: 'reader@example.com', group_id: 5, group_name: 'News', created_at: 1_760_000_000 },
  ],
};

test('two brands with equal ids are read side by side, and a second reading writes nothing', async () => {
  await using sandbox = await sendgridSandbox(files);
  await using db = await freshDb();
  const [one, other] = [await connectSendGrid(db, sandbox), await connectSendGrid(db, sandbox)];
  await one.load();
  await other.load(['statistics', 'bounces']);
  const filled = `concat_ws(' ', scope, name, part, day, time_zone) as row, requests, delivered, opens, bounces`;
  const shown = async (brand: typeof one) =>
    (await brand.rows('statistics', filled, 'scope, name, day')).filter(
      ({ requests, delivered, opens, bounces }) =>
        [requests, delivered, opens, bounces].some((count) => count !== 0),
    );
  const ofAccount = [
    { row: 'account account 2026-11-18 America/New_York', requests: 1, delivered: 1, opens: 0, bounces: 0 },
    { row: 'account account 2026-11-19 America/New_York', requests: 0, delivered: 0, opens: 1, bounces: 0 },
    { row: 'account account 2026-11-20 America/New_York', requests: 0, delivered: 0, opens: 0, bounces: 1 },
  ];
  expect(await shown(other)).toEqual(ofAccount);
  const ofCategory = ofAccount.map(({ row, ...counts }) => ({
    ...{ row: row.replace('account account', 'category autumn category:autumn'), ...counts },
  }));
  const ofSubuser = {
    row: 'subuser sub subuser:sub 2026-11-18 America/New_York',
    requests: 1,
    delivered: 0,
    opens: 0,
    bounces: 0,
  };
  expect(await shown(one)).toEqual([...ofAccount, ...ofCategory, ofSubuser]);
  expect(await one.rows('single_sends', 'id, list_ids, parts')).toEqual([
    { id: 's1', list_ids: ['l1'], parts: ['list:l1', 'category:autumn'] },
    { id: 's2', list_ids: [], parts: ['category:autumn'] },
  ]);
  expect(await one.rows('single_send_totals', 'single_send_id, requests, opens')).toEqual([
    { single_send_id: 's1', requests: 1, opens: 1 },
    { single_send_id: 's2', requests: 0, opens: 0 },
  ]);
  expect(
    (await one.rows('single_send_days', 'single_send_id, day, delivered', 'single_send_id, day'))[0],
  ).toEqual({
    ...{ single_send_id: 's1', day: '2026-11-18', delivered: 1 },
  });
  const [bounce] = await one.rows('bounces', 'email_hash, status, payload');
  const [otherBounce] = await other.rows('bounces', 'email_hash');
  expect(bounce).toEqual({
    email_hash: expect.stringMatching(/^[\da-f]{32}$/),
    status: '5.1.1',
    payload: null,
  });
  expect(otherBounce?.email_hash).not.toBe(bounce?.email_hash); // the digests of two brands differ
  expect(await one.rows('group_unsubscribes', 'group_id')).toEqual([{ group_id: '5' }]);
  expect(await one.rows('templates', 'id, updated_at')).toEqual([
    { id: 't1', updated_at: new Date('2020-11-12T12:00:09Z') },
  ]);
  for (const stream of streamNames)
    expect(await one.sync(stream), stream).toMatchObject({ changed: 0, deleted: 0 });
  expect(await one.faults()).toEqual([]);
});

test('a quiet hour costs one request, an hour in which something moved at most three', async () => {
  await using sandbox = await sendgridSandbox(files);
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load();
  await forget(sandbox);
  expect(await one.syncAll()).toMatchObject({ requests: 1, changed: 0, quiet: streamNames.length - 1 });
  expect(await asked(sandbox)).toEqual(['GET /v3/stats?start_date=2026-11-19&aggregated_by=day']);
  await serve(sandbox, LATER);
  await forget(sandbox);
  expect(await one.syncAll({ now: LATER })).toMatchObject({ requests: 2, changed: 2 });
  expect((await asked(sandbox)).map((path) => path.replace(/\?.*/, ''))).toEqual([
    'GET /v3/stats',
    'GET /v3/suppression/unsubscribes',
  ]);
  expect(await one.rows('unsubscribes', 'created_at')).toEqual([
    { created_at: new Date('2026-11-20T17:00:00Z') },
  ]);
  await forget(sandbox);
  expect(await one.syncAll({ now: '2026-11-20T19:00:00Z' })).toMatchObject({ requests: 1, changed: 0 });
});

test('counts that move later are read again by night, and marks name the days that moved', async () => {
  const stats = [
    aCount('2026-11-14', { opens: 1 }),
    aCount('2026-11-14', { opens: 4 }, { _at: '2026-11-21T00:00:00Z' }),
    aCount('2026-10-20', { opens: 2 }),
    aCount('2026-10-20', { opens: 9 }, { _at: '2026-11-21T00:00:00Z' }),
  ];
  await using sandbox = await sendgridSandbox({ stats });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics']);
  await db.query('delete from ops.marks');
  const opens = () =>
    one.rows('statistics', 'day, opens', 'day').then((all) => all.filter((row) => row.opens !== 0));
  await serve(sandbox, TOMORROW);
  await one.syncAll({ now: TOMORROW });
  expect(await opens()).toEqual([
    { day: '2026-10-20', opens: 2 },
    { day: '2026-11-14', opens: 4 },
  ]); // seven days
  expect(
    await db.column("select distinct day::text from ops.marks where subject = 'email' order by 1"),
  ).toEqual(['2026-11-14', '2026-11-21']);
  await serve(sandbox, '2026-11-28T15:00:00Z');
  await one.syncAll({ now: '2026-11-28T15:00:00Z' });
  expect(await opens()).toEqual([
    { day: '2026-10-20', opens: 2 },
    { day: '2026-11-14', opens: 4 },
  ]); // 35 days do not reach
  await one.sync('statistics', {
    since: '2026-10-01T00:00:00Z',
    until: '2026-11-01T00:00:00Z',
    now: '2026-11-28T15:00:00Z',
  });
  expect((await opens())[0]).toEqual({ day: '2026-10-20', opens: 9 });
});

test('entries that vanish from a list become tombstones with the weekly reading', async () => {
  const entry = (email: string, more: object = {}) => ({ created: 1_763_000_000, email, ...more });
  await using sandbox = await sendgridSandbox({
    bounces: [
      { ...entry('a@example.com'), id: 'a' },
      { ...entry('b@example.com'), id: 'b' },
      { id: 'a', _deleted: true, _at: '2026-11-22T00:00:00Z' },
    ],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['bounces']);
  for (const [now, left] of [
    ['2026-11-23T15:00:00Z', 2],
    ['2026-11-28T15:00:00Z', 1],
  ] as const) {
    await serve(sandbox, now);
    await one.syncAll({ now });
    expect(await one.rows('bounces', 'id')).toHaveLength(left);
  }
});

test('a first load that is broken off goes on behind its last page', async () => {
  const bounces = Array.from({ length: 1_100 }, (_, at) => ({
    created: 1_763_000_000 + at,
    email: `r${at}@example.com`,
  }));
  await using sandbox = await sendgridSandbox({ bounces });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await setFaults(sandbox, { kind: 'status', on: 'sendgrid', status: 405, match: 'offset=450' });
  await expect(one.sync('bounces')).rejects.toMatchObject({ code: 'NS_REQUEST_REFUSED' });
  expect(await one.rows('bounces', 'id')).toHaveLength(500);
  await forget(sandbox);
  expect(await one.sync('bounces', { now: LATER })).toMatchObject({ read: 700 });
  expect((await asked(sandbox)).map((path) => /offset=\d+/.exec(path)?.[0]).filter(Boolean)).toEqual([
    'offset=450',
    'offset=900',
  ]);
  expect(await one.rows('bounces', 'id')).toHaveLength(1_100);
});

test('a record that cannot be understood is set aside until it can, and its stream is not whole', async () => {
  const stats = [
    aCount('2026-11-19', { opens: 'many' as unknown as number }),
    aCount('2026-11-19', { opens: 3 }, { _at: TOMORROW }),
  ];
  await using sandbox = await sendgridSandbox({
    stats,
    asm_suppressions: [{ email: '', group_id: 1, created_at: 1 }],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  expect(await one.sync('statistics')).toMatchObject({
    rejected: 1,
    incomplete: expect.stringContaining('1 record'),
  });
  expect(await db.column('select row_key from ops.rejected_rows')).toEqual(['account:account 2026-11-19']);
  await one.syncAll(); // an hour later it is still missing, although today was read
  expect((await one.faults()).map(({ stream }) => stream)).toContain('sendgrid.statistics');
  await serve(sandbox, TOMORROW);
  await one.sync('statistics', { now: TOMORROW });
  expect((await one.faults()).map(({ stream }) => stream)).not.toContain('sendgrid.statistics');
  expect(await one.sync('group_unsubscribes')).toMatchObject({ rejected: 1 });
});

test('a part that is mapped to a retailer marks for the retailer; what is in no such part stays with the brand', async () => {
  await using sandbox = await sendgridSandbox(files);
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['category_statistics']);
  expect(await db.column('select distinct retailer_id from ops.marks')).toEqual([null]);
  await db.query('delete from ops.marks');
  const { id: retailerId } = await aRetailer(db, { brandId: one.brandId });
  const change = { ...one, tables: [...allTables], now: new Date(NOW) };
  const map = (part: string) => db.transaction((tx) => mapPart(tx, { ...change, part, retailerId }));
  expect(await map('category:spring')).toMatchObject({ days: 0 });
  expect((await map('category:autumn')).days).toBeGreaterThan(0);
  expect(await db.column('select distinct retailer_id from ops.marks order by 1')).toEqual([
    retailerId,
    null,
  ]);
});

test('limits that answers report are kept, whatever unit they are in', async () => {
  await using sandbox = await sendgridSandbox({}, { accounts: { [ACCOUNT]: { zone: 'America/New_York' } } });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await setFaults(sandbox, { kind: 'status', on: 'sendgrid', status: 429, resetSeconds: 1 });
  expect(await one.sync('statistics')).toMatchObject({ requests: 3, waited_ms: expect.any(Number) });
  await setFaults(sandbox, { kind: 'status', on: 'sendgrid', status: 429, resetSeconds: 290 });
  await expect(one.sync('statistics')).rejects.toMatchObject({
    code: 'NS_RATE_LIMITED',
    retryAfterMs: 290_000,
  });
});
