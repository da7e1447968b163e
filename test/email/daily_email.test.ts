/** bi.daily_email, from events and counts as SendGrid gives them to the rollup job of production. */
import { expect, test } from 'vitest';
import { findStream, streamsOf } from '#connectors/providers.ts';
import { dailyEmail } from '#sql/rollups/email/daily_email.ts';
import { mapPart, unmapPart } from '#sql/tenants/connection_parts.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { rollup } from '#tasks/rollup.ts';
import { storePage } from '#tasks/store_page.ts';
import { eventsOf, type Source } from '../../connectors/sendgrid/events/event.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertExplained } from '../support/explain/law.ts';
import { anEvent, connectSendGrid, NOW, sendgridSandbox, serve } from '../support/providers/sendgrid.ts';
import { aRetailer, testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const now = new Date(NOW);
const stream = findStream('sendgrid.events');
const tables = streamsOf('sendgrid').flatMap(({ tables }) => [...tables]);

type Place = { brandId: string; connectionId: string };

/** Loads a batch as the receiver of the webhook does, or the repair from logs. */
async function push(db: TestDb, place: Place, batch: readonly unknown[], source: Source = 'webhook') {
  const content = eventsOf(batch, {
    ...{ personOf: await personsOf(db, testSealer, place.brandId), source, readAt: now },
  });
  const storing = { stream, now, distrustsDigests: false, sealer: testSealer };
  return db.transaction((tx) => storePage(tx, place, storing, { phase: 'changes', ...content }));
}

/** Rolls up, and sees that what explains the figures adds up to them. */
async function roll(db: TestDb, { brandId }: Place) {
  const tally = await runTask(rollup, { brandId, retailerId: null }, db);
  await assertExplained(db, brandId, { rollups: [dailyEmail] });
  return tally;
}

const mapTo = async (db: TestDb, place: Place, part: string, retailerId: string) =>
  db.transaction((tx) => mapPart(tx, { ...place, part, retailerId, tables, now, actor: 'test' }));

const FIGURES = `retailer, day, campaign, requests, delivered, bounces, blocks, opens, unique_opens, machine_opens,
  clicks, unique_clicks, spam_reports, unsubscribes`;

function shown(db: TestDb, { brandId }: Place, columns = FIGURES) {
  return db.rows(
    `select ${columns} from bi.daily_email where brand_id = $1 order by day, retailer, campaign`,
    [brandId],
  );
}

const NOTHING = {
  ...{ requests: 0, delivered: 0, bounces: 0, blocks: 0, opens: 0, unique_opens: 0, machine_opens: 0 },
  ...{ clicks: 0, unique_clicks: 0, spam_reports: 0, unsubscribes: 0 },
};
const row = (retailer: string | null, day: string, campaign: string, more: object) => ({
  ...{ retailer, day: `2026-11-${day}`, campaign, ...NOTHING, ...more },
});

const to = (letter: string, category: string | string[], more: object = {}) => ({
  ...{ sg_message_id: `${letter}.filter.1.0`, email: `${letter}@example.com`, category, ...more },
});
const uk = to('a', ['uk', 'autumn']);
const other = to('b', 'us');

const batch = [
  anEvent('processed', '2026-11-18T15:00:00Z', uk),
  anEvent('delivered', '2026-11-19T04:59:59Z', uk), // still the 18th in New York
  anEvent('open', '2026-11-19T05:00:00Z', uk),
  anEvent('open', '2026-11-19T06:00:00Z', uk),
  anEvent('open', '2026-11-19T06:00:01Z', { ...uk, sg_machine_open: true }),
  anEvent('click', '2026-11-19T07:00:00Z', { ...uk, url: 'https://shop.example/' }),
  anEvent('click', '2026-11-19T07:00:09Z', { ...uk, url: 'https://shop.example/' }),
  anEvent('group_unsubscribe', '2026-11-19T08:00:00Z', uk),
  anEvent('processed', '2026-11-18T15:00:00Z', other),
  anEvent('deferred', '2026-11-18T15:00:01Z', other),
  anEvent('bounce', '2026-11-18T16:00:00Z', { ...other, type: 'blocked' }),
  anEvent('bounce', '2026-11-18T17:00:00Z', { ...other, type: 'bounce' }),
  anEvent('dropped', '2026-11-18T18:00:00Z', to('c', [])),
  anEvent('spamreport', '2026-11-19T18:00:00Z', to('d', [], { singlesend_id: 's1' })),
];

test('events are counted once, by the day of the brand, for the retailer of their category', async () => {
  await using sandbox = await sendgridSandbox();
  await using db = await freshDb();
  const [one, two] = [await connectSendGrid(db, sandbox), await connectSendGrid(db, sandbox)];
  const retailer = await aRetailer(db, { brandId: one.brandId });
  await mapTo(db, one, 'category:uk', retailer.id);
  await push(db, one, batch);
  await push(db, one, [...batch].reverse());
  await push(db, two, batch.slice(0, 1)); // the same ids
  await roll(db, one);
  await roll(db, two);
  const opened = {
    opens: 2,
    unique_opens: 1,
    machine_opens: 1,
    clicks: 2,
    unique_clicks: 1,
    unsubscribes: 1,
  };
  expect(await shown(db, one)).toEqual([
    row(retailer.slug, '18', 'category:uk', { requests: 1, delivered: 1 }),
    row(null, '18', 'category:us', { requests: 1, bounces: 1, blocks: 1 }),
    row(null, '18', 'unallocated', { requests: 1 }),
    row(retailer.slug, '19', 'category:uk', opened),
    row(null, '19', 'single_send:s1', { spam_reports: 1 }),
  ]);
  expect(await shown(db, two)).toEqual([row(null, '18', 'category:uk', { requests: 1 })]);
  const rates = 'campaign_name, delivery_rate, open_rate, bounce_rate, counted_from, time_zone';
  const zone = { counted_from: 'events', time_zone: 'America/New_York' };
  const none = { delivery_rate: null, open_rate: null, bounce_rate: null };
  expect(await shown(db, one, rates)).toEqual([
    { campaign_name: 'uk', delivery_rate: '1.0000', open_rate: '0.0000', bounce_rate: '0.0000', ...zone },
    { campaign_name: 'us', delivery_rate: '0.0000', open_rate: null, bounce_rate: '1.0000', ...zone },
    { campaign_name: null, delivery_rate: '0.0000', open_rate: null, bounce_rate: '0.0000', ...zone },
    { campaign_name: 'uk', ...none, ...zone },
    { campaign_name: 's1', ...none, ...zone },
  ]);
  await db.query(
    'insert into ops.marks (brand_id, subject, day, marked_at) select brand_id, $1, day, now() from agg.daily_email',
    ['email'],
  );
  expect(await roll(db, one)).toMatchObject({ days: 2, written: 0, deleted: 0 });
});

test('who unsubscribes several times on a day is one person of the campaign', async () => {
  await using sandbox = await sendgridSandbox();
  await using db = await freshDb();
  const [one, two] = [await connectSendGrid(db, sandbox), await connectSendGrid(db, sandbox)];
  const [ann, ben] = [to('a', 'news'), to('b', 'news')];
  const left = [
    anEvent('group_unsubscribe', '2026-11-18T15:00:00Z', { ...ann, asm_group_id: 1 }),
    anEvent('group_unsubscribe', '2026-11-18T15:00:01Z', { ...ann, asm_group_id: 2 }),
    anEvent('unsubscribe', '2026-11-18T15:00:02Z', ann),
    anEvent('unsubscribe', '2026-11-18T16:00:00Z', ben),
    anEvent('unsubscribe', '2026-11-18T16:00:01Z', { ...ann, category: 'offers' }),
    anEvent('unsubscribe', '2026-11-19T16:00:00Z', ann),
  ];
  await push(db, one, left);
  await push(db, two, left.slice(0, 2)); // the same ids
  await roll(db, one);
  await roll(db, two);
  expect(await shown(db, one, 'day, campaign, unsubscribes')).toEqual([
    { day: '2026-11-18', campaign: 'category:news', unsubscribes: 2 },
    { day: '2026-11-18', campaign: 'category:offers', unsubscribes: 1 },
    { day: '2026-11-19', campaign: 'category:news', unsubscribes: 1 },
  ]);
  expect(await shown(db, two, 'campaign, unsubscribes')).toEqual([
    { campaign: 'category:news', unsubscribes: 1 },
  ]);
});

const singleSend = (updated_at: string, list_ids: string[]) => ({
  ...{ id: 's1', name: 'Spring', status: 'triggered', categories: [], send_at: '2026-11-18T15:00:00Z' },
  ...{ created_at: '2026-11-17T15:00:00Z', updated_at, is_abtest: false },
  send_to: { list_ids, segment_ids: [], all: false },
});

test('mail of a campaign follows its lists, whichever comes first, is mapped, or changes', async () => {
  await using before = await sendgridSandbox({ singlesends: [singleSend('2026-11-18T15:00:00Z', ['l1'])] });
  await using after = await sendgridSandbox({ singlesends: [singleSend('2026-11-20T10:00:00Z', ['l2'])] });
  await using db = await freshDb();
  const one = await connectSendGrid(db, before);
  const [north, south] = [
    await aRetailer(db, { brandId: one.brandId }),
    await aRetailer(db, { brandId: one.brandId }),
  ];
  const owners = async () => (await shown(db, one, 'retailer')).map(({ retailer }) => retailer);
  await push(db, one, [
    anEvent('delivered', '2026-11-19T15:00:00Z', { singlesend_id: 's1', category: ['x'] }),
  ]);
  await mapTo(db, one, 'list:l1', north.id);
  await mapTo(db, one, 'category:x', south.id);
  await roll(db, one);
  expect(await owners()).toEqual([south.slug]);
  await one.sync('single_sends');
  await roll(db, one);
  expect(await shown(db, one, 'retailer, campaign, campaign_name')).toEqual([
    { retailer: north.slug, campaign: 'single_send:s1', campaign_name: 'Spring' },
  ]);
  await db.transaction((tx) => unmapPart(tx, { ...one, part: 'list:l1', tables, now, actor: 'test' }));
  await roll(db, one);
  expect(await owners()).toEqual([south.slug]);
  await mapTo(db, one, 'list:l2', north.id);
  await serve(before, '2026-11-21T15:00:00Z', after.dir);
  await one.sync('single_sends', { now: '2026-11-21T15:00:00Z' });
  await roll(db, one);
  expect(await owners()).toEqual([north.slug]);
});

test('a day without events has the counts of the account, and says so', async () => {
  const counts = [
    { date: '2026-11-18', requests: 10, delivered: 8, opens: 5, unique_opens: 4 },
    {
      type: 'category',
      name: 'uk',
      date: '2026-11-18',
      requests: 6,
      delivered: 6,
      opens: 5,
      unique_opens: 4,
    },
    { type: 'category', name: 'us', date: '2026-11-18', requests: 3, delivered: 1 },
    { date: '2026-11-19', requests: 7, delivered: 7 },
  ];
  await using sandbox = await sendgridSandbox({ stats: counts });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox, { timeZone: 'Europe/London' });
  await db.query("update app.connections set account_zone = 'America/New_York'");
  const retailer = await aRetailer(db, { brandId: one.brandId });
  await mapTo(db, one, 'category:uk', retailer.id);
  await one.load(['statistics', 'category_statistics']);
  await push(db, one, [anEvent('delivered', '2026-11-19T12:00:00Z', other)]);
  await roll(db, one);
  const columns =
    'retailer, day, campaign, requests, delivered, opens, machine_opens, counted_from, time_zone';
  const counted = { counted_from: 'counts', time_zone: 'America/New_York', day: '2026-11-18' };
  const rows = [
    { ...counted, retailer: retailer.slug, campaign: 'category:uk', requests: 6, delivered: 6, opens: 5 },
    { ...counted, retailer: null, campaign: 'unallocated', requests: 4, delivered: 2, opens: 0 },
    {
      ...{ counted_from: 'events', time_zone: 'Europe/London', day: '2026-11-19', retailer: null },
      ...{ campaign: 'category:us', requests: 0, delivered: 1, opens: 0 },
    },
  ];
  expect(await shown(db, one, columns)).toEqual(
    rows.map((row) => ({ ...row, machine_opens: row.counted_from === 'counts' ? null : 0 })),
  );
});

const countsOf = (db: TestDb, place: Place) => shown(db, place, 'day, campaign, delivered, counted_from');

test('events of the logs alone leave a day its counts, and complete a day of which the webhook brought some', async () => {
  await using sandbox = await sendgridSandbox({
    stats: [
      { date: '2026-11-18', delivered: 100 },
      { date: '2026-11-19', delivered: 2 },
    ],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics']);
  const at = (day: string, letter: string) =>
    anEvent('delivered', `2026-11-${day}T15:00:00Z`, to(letter, 'uk'));
  await push(db, one, [at('18', 'x'), at('19', 'y')], 'logs');
  await push(db, one, [at('19', 'z')]);
  await roll(db, one);
  expect(await countsOf(db, one)).toEqual([
    { day: '2026-11-18', campaign: 'unallocated', delivered: 100, counted_from: 'counts' },
    { day: '2026-11-19', campaign: 'category:uk', delivered: 2, counted_from: 'events' },
  ]);
});

test('a letter counts once where the account is in another zone, and what comes late moves its neighbours', async () => {
  await using sandbox = await sendgridSandbox({
    stats: [
      { date: '2026-11-18', delivered: 1 },
      { date: '2026-11-19', delivered: 5 },
    ],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox, { timeZone: 'Europe/London' });
  await db.query("update app.connections set account_zone = 'America/New_York'");
  await one.load(['statistics']);
  await push(db, one, [anEvent('delivered', '2026-11-19T01:00:00Z', to('lost', 'uk'))], 'logs');
  await roll(db, one);
  const counted = { campaign: 'unallocated', counted_from: 'counts' };
  expect(await countsOf(db, one)).toEqual([
    { day: '2026-11-18', delivered: 1, ...counted },
    { day: '2026-11-19', delivered: 5, ...counted },
  ]);
  // The 18th in New York, and in London the 19th: its letter is in the counts of the 18th, and no more.
  await push(db, one, [anEvent('delivered', '2026-11-19T02:00:00Z', uk)]);
  await roll(db, one);
  expect(await countsOf(db, one)).toEqual([
    { day: '2026-11-19', campaign: 'category:uk', delivered: 2, counted_from: 'events' },
    { day: '2026-11-19', delivered: 5, ...counted },
  ]);
});

test('mail of a subuser stays in a day of events, and is taken off no total', async () => {
  const subuser = { type: 'subuser', name: 'shop', delivered: 3 };
  await using sandbox = await sendgridSandbox({
    stats: ['18', '19'].flatMap((day) => [
      { date: `2026-11-${day}`, delivered: 7 },
      { ...subuser, date: `2026-11-${day}` },
    ]),
    subusers: [{ id: 7, username: 'shop', email: 'shop@example.com', disabled: false }],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await mapTo(db, one, 'subuser:shop', (await aRetailer(db, { brandId: one.brandId })).id);
  await one.load(['statistics', 'subuser_statistics']);
  await push(db, one, [anEvent('delivered', '2026-11-19T15:00:00Z', uk)]);
  await roll(db, one);
  const counted = { counted_from: 'counts' };
  expect(await countsOf(db, one)).toEqual([
    { day: '2026-11-18', campaign: 'subuser:shop', delivered: 3, ...counted },
    { day: '2026-11-18', campaign: 'unallocated', delivered: 7, ...counted },
    { day: '2026-11-19', campaign: 'subuser:shop', delivered: 3, ...counted },
    { day: '2026-11-19', campaign: 'category:uk', delivered: 1, counted_from: 'events' },
  ]);
});

test('a campaign that is deleted leaves its mail to whom it had', async () => {
  await using sandbox = await sendgridSandbox({
    singlesends: [
      singleSend('2026-11-18T15:00:00Z', ['l1']),
      { id: 's1', _deleted: true, _at: '2026-11-21T00:00:00Z' },
    ],
  });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  const retailer = await aRetailer(db, { brandId: one.brandId });
  await mapTo(db, one, 'list:l1', retailer.id);
  await one.sync('single_sends');
  await push(db, one, [anEvent('delivered', '2026-11-19T15:00:00Z', { singlesend_id: 's1' })]);
  await roll(db, one);
  await serve(sandbox, '2026-11-21T15:00:00Z');
  expect(await one.sync('single_sends', { now: '2026-11-21T15:00:00Z' })).toMatchObject({
    deleted: 1,
    days: 0,
  });
  expect(await shown(db, one, 'retailer')).toEqual([{ retailer: retailer.slug }]);
});
