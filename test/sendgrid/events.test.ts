/** Events of letters: what is kept of them, and how those that the webhook lost are found and repaired. */
import { expect, test } from 'vitest';
import { findStream } from '#connectors/providers.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { resealAll } from '#sql/tenants/reseal.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { storePage } from '#tasks/store_page.ts';
import { eventsOf } from '../../connectors/sendgrid/events/event.ts';
import { SCOPES } from '../../sandbox/sendgrid/sendgrid.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import {
  ACCOUNT,
  anEvent,
  asked,
  connectSendGrid,
  forget,
  KEY,
  NOW,
  sendgridSandbox,
  serve,
} from '../support/providers/sendgrid.ts';
import { aBrand, testSealer } from '../support/rows/factory.ts';

const readAt = new Date(NOW);
const stream = findStream('sendgrid.events');
const personOf = (email: string) => (email === '' ? null : `digest of ${email.toLowerCase()}`);

type Place = { brandId: string; connectionId: string };

/** Loads a batch as the receiver of the webhook does. */
async function push(db: TestDb, place: Place, batch: readonly unknown[]) {
  const persons = await personsOf(db, testSealer, place.brandId);
  const content = eventsOf(batch, { personOf: persons, source: 'webhook', readAt });
  const storing = { stream, now: readAt, distrustsDigests: false, sealer: testSealer };
  return db.transaction((tx) => storePage(tx, place, storing, { phase: 'changes', ...content }));
}

const rowOf = (event: unknown) => {
  const { items, rejected } = eventsOf([event], { personOf, source: 'webhook', readAt });
  const [item] = items;
  return item && 'rows' in item ? item.rows['raw.sendgrid_events']?.[0] : rejected[0];
};

test('of an event only what figures need is kept, and the address as a digest', () => {
  const click = {
    ...{ email: 'Reader@Example.com', timestamp: 1_763_000_000, event: 'click', sg_event_id: 'e1' },
    ...{ sg_message_id: 'abc.filter.1.0', category: ['autumn', 'uk'], ip: '10.0.0.1', useragent: 'Mozilla' },
    ...{ url: 'https://shop.example/p?email=reader@example.com&utm_campaign=autumn#me', asm_group_id: 5 },
    ...{ ns_mail: 'l1' },
    ...{ ns_run_id: 'r1', who: 'reader@example.com', phone: '+44 20 7946 0958' },
  };
  expect(rowOf(click)).toMatchObject({
    ...{
      id: 'e1',
      event: 'click',
      email_hash: 'digest of reader@example.com',
      message_id: 'abc.filter.1.0',
      send_id: 'abc',
    },
    ...{
      happened_at: new Date(1_763_000_000_000),
      categories: ['autumn', 'uk'],
      group_id: '5',
      is_machine: false,
    },
    ...{
      parts: ['category:autumn', 'category:uk'],
      url: 'https://shop.example/p?utm_campaign=autumn',
      source: 'webhook',
    },
    payload: { ns_run_id: 'r1', ns_mail: 'l1' },
  });
  expect(JSON.stringify(rowOf(click)).replaceAll('digest of reader@example.com', '')).not.toMatch(
    /reader@|10\.0\.0|Mozilla|7946/i,
  );
});

test('an address in a path, a campaign or a category is blanked, and what is set aside keeps no query', () => {
  const click = {
    ...{ email: 'Reader@Example.com', timestamp: 1_763_000_000, event: 'click', sg_event_id: 'e1' },
    category: ['autumn', 'to reader@example.com'],
    url: 'https://shop.example/u/reader%40example.com/%E2%9C%93?utm_term=reader@example.com&utm_id=7&phone=7946',
  };
  const row = JSON.stringify(rowOf(click)).replaceAll('digest of reader@example.com', '');
  expect(row).not.toMatch(/reader|7946/i);
  const url = expect.stringMatching(/^https:\/\/shop\.example\/u\/%5Be-mail%5D\/.*utm_id=7$/);
  expect(rowOf(click)).toMatchObject({ url, categories: ['autumn', 'to [e-mail]'] });
  expect(rowOf({ ...click, timestamp: 'soon' })).toMatchObject({ payload: { url } });
});

test('texts or lists, seconds or milliseconds, and events without an id are understood', () => {
  const open = {
    email: '',
    timestamp: 1_591_726_752_372,
    event: 'open',
    category: 'one',
    sg_machine_open: true,
  };
  const row = rowOf(open);
  expect(row).toMatchObject({
    ...{ happened_at: new Date(1_591_726_752_372), categories: ['one'], is_machine: true, email_hash: null },
    id: expect.stringMatching(/^sha256:/),
  });
  expect(rowOf({ ...open, ip: '1.2.3.4' })).toMatchObject({ id: (row as { id: string }).id });
  expect(rowOf({ ...open, event: 'click' })).not.toMatchObject({ id: (row as { id: string }).id });
  expect(rowOf({ ...open, event: 'something_new', sg_event_id: 'x' })).toMatchObject({
    id: 'x',
    event: 'something_new',
  });
  const broken = rowOf({ ...open, timestamp: 'soon', email: 'reader@example.com', sg_event_id: 'y' });
  expect(broken).toMatchObject({ key: 'y', reason: expect.stringContaining('timestamp') });
  expect(JSON.stringify(broken)).not.toContain('reader@');
  expect(eventsOf(['text', null, 7], { personOf, source: 'webhook', readAt }).rejected).toHaveLength(3);
});

test('a batch that comes again, shuffled, or to a second brand adds nothing', async () => {
  await using sandbox = await sendgridSandbox();
  await using db = await freshDb();
  const [one, other] = [await connectSendGrid(db, sandbox), await connectSendGrid(db, sandbox)];
  const batch = ['processed', 'delivered', 'open'].map((event, at) =>
    anEvent(event, `2026-11-2${at}T05:30:00Z`),
  );
  expect(await push(db, one, batch)).toMatchObject({ read: 3, changed: 3 });
  expect(await push(db, one, [...batch].reverse())).toMatchObject({ read: 3, changed: 0 });
  await push(db, other, batch.slice(0, 1));
  expect(await one.rows('events', 'event', 'happened_at')).toHaveLength(3);
  expect(await other.rows('events', 'event')).toEqual([{ event: 'processed' }]);
  const days =
    "select distinct day::text from ops.marks where brand_id = $1 and subject = 'email' order by 1";
  expect(await db.column(days, [one.brandId])).toEqual(['2026-11-20', '2026-11-21', '2026-11-22']);
});

test('digests of one person are equal in a brand, and stay so when the sealing key changes', async () => {
  await using db = await freshDb();
  const [{ id: one }, { id: other }] = [await aBrand(db), await aBrand(db)];
  const digest = async (brandId: string, keys = testSealer) =>
    (await personsOf(db, keys, brandId))(' Reader@example.com');
  const before = await digest(one);
  expect([await digest(one), await digest(other)]).toEqual([
    before,
    expect.not.stringContaining(before ?? ''),
  ]);
  const next = sealer([
    { id: 'next', key: Buffer.alloc(32, 9) },
    { id: 'test', key: Buffer.alloc(32, 7) },
  ]);
  await resealAll(db, next);
  expect(await digest(one, sealer([{ id: 'next', key: Buffer.alloc(32, 9) }]))).toBe(before);
});

const LETTERS = Array.from({ length: 40 }, (_, at) => `m${at}.filter.1.0`);
const written = LETTERS.flatMap((sg_message_id) => [
  anEvent('processed', '2026-11-18T15:00:00Z', { sg_message_id, ns_run_id: 'r1' }),
  anEvent('delivered', '2026-11-18T15:00:05Z', { sg_message_id, ns_run_id: 'r1' }),
]);

test('a day that lacks events is repaired from the logs, once', async () => {
  await using sandbox = await sendgridSandbox({ events: written });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics']);
  const begun = anEvent('processed', '2026-11-16T15:00:00Z', { sg_message_id: 'before' });
  await push(db, one, [begun, ...written.slice(0, 20)]);
  await forget(sandbox);
  expect(await one.sync('events')).toMatchObject({ read: 60, changed: 60 }); // of the 30 letters that are not known
  expect((await asked(sandbox)).filter((path) => path.startsWith('GET /v3/logs/'))).toHaveLength(30);
  expect(await db.column("select count(*)::int from raw.sendgrid_events where source = 'logs'")).toEqual([
    60,
  ]);
  expect(
    await db.column("select distinct payload ->> 'ns_run_id' from raw.sendgrid_events where source = 'logs'"),
  ).toEqual(['r1']);
  expect(await one.faults()).toEqual([]);
  await forget(sandbox);
  expect(await one.sync('events')).toMatchObject({ read: 0 });
  expect(await asked(sandbox)).toEqual(['GET /v3/user/webhooks/event/settings/all']);
});

const BESIDE = ['16', '20'].map((day) =>
  anEvent('processed', `2026-11-${day}T14:00:00Z`, { sg_message_id: `of ${day}` }),
);

/** A webhook that began on the 16th, and brought nothing of the 18th. */
async function lossy(db: TestDb, wanted: { files?: object; accounts?: object } = {}) {
  const files = { events: written, ...wanted.files };
  const sandbox = await sendgridSandbox(files, { accounts: { ...wanted.accounts } });
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics']);
  await push(db, one, BESIDE);
  return { sandbox, one, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
}

test('no letter from before the webhook began is asked for', async () => {
  const early = anEvent('processed', '2026-11-15T15:00:00Z', { sg_message_id: 'early' });
  await using db = await freshDb();
  await using world = await lossy(db, { files: { events: [early, ...written] } });
  expect(await world.one.sync('events')).toMatchObject({ read: 80 });
  expect((await asked(world.sandbox)).filter((path) => path.includes('early'))).toEqual([]);
});

test('a kind of which one lacks much is a gap, whatever the others do, and opens that never come are noticed', async () => {
  const at = '2026-11-18T15:00:00Z';
  const stats = [{ date: '2026-11-18', processed: 600, delivered: 600, blocks: 7, opens: 9, clicks: 5 }];
  await using db = await freshDb();
  await using world = await lossy(db, { files: { events: [], stats } });
  const { one } = world;
  const letters = ['processed', 'delivered'].flatMap((event) =>
    Array.from({ length: 600 }, (_, index) => anEvent(event, at, { sg_message_id: `x${index}` })),
  );
  await push(db, one, letters);
  await one.sync('events');
  const [fault] = await one.faults();
  expect(fault?.cause).toMatch(/^7 of the events .* \(blocks\)/);
  expect(fault?.cause).toContain('counts opens and no event of them comes');
  expect(fault?.cause).not.toContain('clicks');
  await push(db, one, [anEvent('open', at)]);
  await one.sync('events');
  expect((await one.faults())[0]?.cause).not.toContain('opens');
});

test('a switch of our webhook that is off is named, and one of others is not judged', async () => {
  await using db = await freshDb();
  await using world = await lossy(db);
  const { one, sandbox } = world;
  const path = `${sandbox.url}/sendgrid/v3/user/webhooks/event/settings`;
  const make = async (address: string, more: object) => {
    const headers = { authorization: `Bearer ${KEY}` };
    const body = JSON.stringify({ url: `https://hooks.example/${address}`, ...more });
    expect((await fetch(path, { method: 'POST', headers, body })).status).toBe(201);
  };
  await make('theirs', { enabled: false });
  await one.sync('events');
  expect(await one.faults()).toEqual([]);
  const ours = { ...{ bounce: true, click: true, deferred: true, delivered: true, dropped: true } };
  const more = { group_resubscribe: true, group_unsubscribe: true, processed: true, spam_report: true };
  await make(`webhooks/sendgrid/${one.connectionId}`, { enabled: true, ...ours, ...more, unsubscribe: true });
  await one.sync('events');
  expect((await one.faults())[0]?.cause).toMatch(/does not bring open: .*connections webhooks add mail/);
});

test('a key that may not read logs leaves the checks as they are', async () => {
  const scopes = SCOPES.filter((scope) => scope !== 'messages.read');
  await using db = await freshDb();
  await using world = await lossy(db, { accounts: { [ACCOUNT]: { zone: 'America/New_York', scopes } } });
  const tally = await world.one.sync('events');
  expect(tally).toMatchObject({ warning: expect.stringContaining('denies its logs') });
  expect((await world.one.faults())[0]?.cause).toContain('80 of the events');
});

test('logs of a subuser are asked for by its number', async () => {
  const accounts = { [ACCOUNT]: {}, sub: { parent: ACCOUNT, zone: 'America/New_York' } };
  const subusers = [{ id: 7, username: 'sub', email: 'sub@example.com', disabled: false }];
  await using sandbox = await sendgridSandbox({ subusers, 'sub/events': written }, { accounts });
  await using db = await freshDb();
  const sub = await connectSendGrid(db, sandbox, { account: 'sub', auth: 'subuser' });
  await sub.load(['statistics']);
  await push(db, sub, BESIDE);
  expect(await sub.sync('events')).toMatchObject({ read: 80, changed: 80 });
  expect(await sub.faults()).toEqual([]);
  const details = (await asked(sandbox)).filter((path) => path.startsWith('GET /v3/logs/'));
  expect(details.filter((path) => path.endsWith('?subuser=7'))).toHaveLength(40);
});

test('a repaired event is of the campaign of its letter, or of its template', async () => {
  const of = (sg_message_id: string) => ({ sg_message_id, singlesend_id: 's1', template_id: 't1' });
  const events = LETTERS.flatMap((id) => [
    anEvent('processed', '2026-11-18T15:00:00Z', of(id)),
    anEvent('delivered', '2026-11-18T15:00:05Z', of(id)),
  ]);
  await using db = await freshDb();
  await using world = await lossy(db, { files: { events } });
  await push(db, world.one, events.slice(0, 1));
  await world.one.sync('events');
  const found =
    "select single_send_id, count(*)::int from raw.sendgrid_events where template_id = 't1' group by 1";
  expect(await db.rows(found)).toEqual([{ single_send_id: 's1', count: 80 }]);
});

test('what the logs cannot bring leaves its day open, and silence is noticed', async () => {
  await using sandbox = await sendgridSandbox({
    stats: [
      { date: '2026-11-18', processed: 100 },
      { date: '2026-11-20', processed: 9 },
    ],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics']);
  await push(db, one, [anEvent('processed', '2026-11-16T15:00:00Z')]);
  await one.sync('events');
  expect(await one.faults()).toEqual([
    {
      stream: 'sendgrid.events',
      cause: expect.stringMatching(/100 of the events.*2026-11-18.*;.*no event has come since/),
    },
  ]);
  const [{ to } = {}] = await db.rows(
    "select position ->> 'changesTo' as to from ops.positions where stream = 'sendgrid.events'",
  );
  expect(to).toBe('2026-11-19T05:00:00.000Z'); // the end of the last closed day in New York
});

test('an account without a webhook has counts alone, and says so', async () => {
  await using sandbox = await sendgridSandbox({ events: written });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await forget(sandbox);
  expect(await one.sync('events')).toMatchObject({ warning: expect.stringContaining('no event'), read: 0 });
  // It is looked at by night: what was said then stands for the hours between.
  await one.load(['statistics']);
  expect(await one.syncAll({ now: '2026-11-20T16:00:00Z' })).not.toHaveProperty('warning');
  expect(await db.column('select warnings from ops.stream_warnings')).toEqual([
    [expect.stringContaining('no event')],
  ]);
  await serve(sandbox, NOW);
  expect(await one.sync('events', { ids: ['m1.filter.1.0'] })).toMatchObject({ changed: 2 });
});
