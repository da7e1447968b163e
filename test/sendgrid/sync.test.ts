/** SendGrid's streams, read from the sandbox by the jobs of production. */
import { expect, test } from 'vitest';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { streamsOf } from '#connectors/providers.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { openSendGrid } from '../../connectors/sendgrid/api/client.ts';
import { byOffset } from '../../connectors/sendgrid/api/lists.ts';
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
import { aRetailer, testKeyring } from '../support/rows/factory.ts';

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
    aCount('2026-10-10', { opens: 2 }),
    aCount('2026-10-10', { opens: 9 }, { _at: '2026-11-21T00:00:00Z' }),
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
    { day: '2026-10-10', opens: 2 },
    { day: '2026-11-14', opens: 4 },
  ]); // seven days
  expect(
    await db.column("select distinct day::text from ops.marks where subject = 'email' order by 1"),
  ).toEqual(['2026-11-14', '2026-11-21']);
  await serve(sandbox, '2026-11-28T15:00:00Z');
  await one.syncAll({ now: '2026-11-28T15:00:00Z' });
  expect(await opens()).toEqual([
    { day: '2026-10-10', opens: 2 },
    { day: '2026-11-14', opens: 4 },
  ]); // 35 days do not reach
  await one.sync('statistics', {
    since: '2026-10-01T00:00:00Z',
    until: '2026-11-01T00:00:00Z',
    now: '2026-11-28T15:00:00Z',
  });
  expect((await opens())[0]).toEqual({ day: '2026-10-10', opens: 9 });
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

test('a category has the longest name that SendGrid accepts', async () => {
  const name = 'n'.repeat(255);
  const events = [anEvent('delivered', '2026-11-19T04:59:59Z', { category: [name] })];
  await using sandbox = await sendgridSandbox({ events });
  await using db = await freshDb();
  const [one, other] = [await connectSendGrid(db, sandbox), await connectSendGrid(db, sandbox)];
  for (const brand of [one, other]) {
    await brand.load(['category_statistics']);
    const shown = await brand.rows('statistics', 'name, day::text, delivered', 'name, day');
    expect(shown.filter(({ delivered }) => delivered !== 0)).toEqual([
      { name, day: '2026-11-18', delivered: 1 },
    ]);
  }
  expect(await db.column('select reason from ops.rejected_rows')).toEqual([]);
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

test('what answers allow is used at once, within bounds, and without such answers a pace is kept', async () => {
  const singlesends = Array.from({ length: 30 }, (_, n) => send(`s${n}`));
  for (const [count, maximum] of [
    [500, 500],
    [1_000_000, 1_000],
    [undefined, 10],
  ] as const) {
    const limit = count && { count, seconds: 3_600 };
    await using sandbox = await sendgridSandbox(
      { singlesends },
      { accounts: { [ACCOUNT]: { zone: 'America/New_York', ...(limit && { limit }) } } },
    );
    await using db = await freshDb();
    const one = await connectSendGrid(db, sandbox);
    const tally = await one.sync('single_sends');
    if (limit) expect(tally.waited_ms ?? 0).toBe(0);
    expect(
      await db.column("select maximum::int from ops.rate_budgets where account like '%/singlesends/{id}'"),
    ).toEqual([maximum]);
  }
});

test('an outage longer than the days that are read again leaves no hole', async () => {
  await using sandbox = await sendgridSandbox(files);
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics']);
  const now = '2027-01-09T15:00:00Z';
  await serve(sandbox, now);
  await forget(sandbox);
  await one.sync('statistics', { now });
  expect(await asked(sandbox)).toEqual([
    expect.stringContaining('start_date=2026-10-16&end_date=2027-01-09'),
  ]);
});

test('a campaign that goes out without another change is read, and one that is gone hides no other', async () => {
  const planned = send('s1', { status: 'scheduled' });
  const sent = { ...send('s1'), _at: '2026-11-20T16:00:00Z' };
  await using sandbox = await sendgridSandbox({ ...files, singlesends: [planned, send('s2'), sent] });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['single_sends']);
  await serve(sandbox, LATER);
  await one.sync('single_sends', { now: LATER });
  expect(await one.rows('single_sends', 'status')).toEqual([
    { status: 'triggered' },
    { status: 'triggered' },
  ]);
  await setFaults(sandbox, { kind: 'status', on: 'sendgrid', status: 404, match: 's1%2Cs2', count: 0 });
  await one.sync('single_send_totals', { now: LATER });
  expect(await one.rows('single_send_totals', 'single_send_id')).toHaveLength(2);
});

test('a place in a list that is not known any more is given up, and the week stays due', async () => {
  await using sandbox = await sendgridSandbox(files);
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['single_sends', 'bounces']);
  const breakOff = (stream: string, next: string) =>
    db.query(
      `update ops.positions set position = position - 'weekAt' || jsonb_build_object('rest', jsonb_build_object(
         'at', $2::text, 'extent', 'week', 'next', $3::text)) where stream = $1`,
      [`sendgrid.${stream}`, '2026-11-20T15:00:00.000Z', next],
    );
  await breakOff('single_sends', 'stale');
  await setFaults(sandbox, {
    kind: 'status',
    on: 'sendgrid',
    status: 400,
    match: 'page_token=stale',
    count: 0,
  });
  expect(await one.sync('single_sends', { now: LATER })).toMatchObject({ deleted: 0 });
  await breakOff('bounces', '0'); // goes on, so that what vanished cannot be told
  await one.sync('bounces', { now: LATER });
  const week = `select position ? 'weekAt' as week from ops.positions where stream like '%s' order by stream`;
  expect(await db.column(week)).toEqual([false, true]);
});

test('pages that do not overlap say nothing of what vanished', async () => {
  const bounces = Array.from({ length: 700 }, (_, at) => ({
    created: 1_763_000_000 + at,
    email: `r${at}@x.com`,
  }));
  await using before = await sendgridSandbox({ bounces });
  await using after = await sendgridSandbox({ bounces: bounces.slice(60) });
  await using db = await freshDb();
  const place = await connectSendGrid(db, before);
  const connection = await openConnection(db, place, testKeyring);
  const signal = AbortSignal.timeout(30_000);
  const context = { connection, db, signal, stats: newRequestStats(), now: () => new Date(NOW) };
  const gaps = async (change: () => Promise<void>) => {
    const found: unknown[] = [];
    const paged = { size: 500, overlap: 50 };
    for await (const page of byOffset(openSendGrid(context), '/v3/suppression/bounces', [], paged)) {
      found.push(page.isBehindGap);
      await change();
    }
    return found;
  };
  expect(await gaps(async () => {})).toEqual([false, false]);
  expect(await gaps(() => serve(before, NOW, after.dir))).toEqual([false, true]);
});
