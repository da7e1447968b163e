/** Seconds in which more letters were made than Email Logs list at a time: they are split by status and category. */
import { expect, test } from 'vitest';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { findStream } from '#connectors/providers.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { storePage } from '#tasks/store_page.ts';
import { openSendGrid } from '../../connectors/sendgrid/api/client.ts';
import { eventsOf } from '../../connectors/sendgrid/events/event.ts';
import { lettersOf } from '../../connectors/sendgrid/events/logs.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { fakeProvider, json } from '../support/providers/provider.ts';
import {
  anEvent,
  asked,
  connectSendGrid,
  forget,
  NOW,
  sendgridSandbox,
} from '../support/providers/sendgrid.ts';
import { testKeyring, testSealer } from '../support/rows/factory.ts';

const SECOND = '2026-11-18T15:00:00Z';
const LETTERS = 2_400;

/** What the webhook brought. */
async function push(db: TestDb, place: { brandId: string; connectionId: string }, batch: readonly object[]) {
  const personOf = await personsOf(db, testSealer, place.brandId);
  const content = eventsOf(batch, { personOf, source: 'webhook', readAt: new Date(NOW) });
  const stream = findStream('sendgrid.events');
  const storing = { stream, now: new Date(NOW), distrustsDigests: false, sealer: testSealer };
  await db.transaction((tx) => storePage(tx, place, storing, { phase: 'changes', ...content }));
}

/** Letters of a second in six categories, and some of two. */
function written(more: (index: number) => object = () => ({})) {
  return Array.from({ length: LETTERS }, (_, index) => {
    const own = [`c${index % 6}`, ...(index % 100 === 0 ? [`c${(index + 3) % 6}`] : [])];
    const letter = { sg_message_id: `m${index}.filter.1.0`, category: own, ...more(index) };
    return ['processed', 'delivered'].map((event) => anEvent(event, SECOND, letter));
  });
}

async function reader(db: TestDb, sandbox: { url: string }, streams: readonly string[]) {
  const one = await connectSendGrid(db, sandbox);
  await one.load(streams);
  const begun = anEvent('processed', '2026-11-16T15:00:00Z', { sg_message_id: 'before', category: [] });
  await push(db, one, [
    begun,
    ...written()
      .slice(0, LETTERS - 40)
      .flat(),
  ]);
  return one;
}

test('a full second is split by categories, and its day is repaired', async () => {
  await using sandbox = await sendgridSandbox({ events: written().flat() });
  await using db = await freshDb();
  const one = await reader(db, sandbox, ['statistics', 'category_statistics']);
  const other = await reader(db, sandbox, ['statistics']);
  await forget(sandbox);
  expect(await one.sync('events')).toMatchObject({ read: 80, changed: 80 });
  expect(await one.faults()).toEqual([]);
  expect((await asked(sandbox)).filter((path) => path.startsWith('GET /v3/logs/'))).toHaveLength(40);
  // Categories of one brand are not asked for in the name of another.
  expect((await other.sync('events')).incomplete).toMatch(/fewer letters than were made at 2026-11-18T15:00/);
});

test('a full second with letters of no known category stays incomplete', async () => {
  const events = written((index) => (index % 6 === 0 ? { category: [] } : {})).flat();
  await using sandbox = await sendgridSandbox({ events });
  await using db = await freshDb();
  const one = await reader(db, sandbox, ['statistics', 'category_statistics']);
  expect((await one.sync('events')).incomplete).toContain('fewer letters than were made');
});

test('so many lists are asked for and no more, and what they did not show is no complete span', async () => {
  await using db = await freshDb();
  const messages = Array.from({ length: 1_000 }, (_, n) => ({ sg_message_id: `m${n}`, status: 'delivered' }));
  await using provider = await fakeProvider(json({ messages }));
  const connection = await openConnection(db, await connectSendGrid(db, provider), testKeyring);
  const signal = AbortSignal.timeout(60_000);
  const sendgrid = openSendGrid({
    connection,
    db,
    signal,
    stats: newRequestStats(),
    now: () => new Date(NOW),
  });
  const left = { lists: 40 };
  const from = Date.parse(SECOND);
  const span = { from, before: from + 3_600_000 };
  const found = await lettersOf({ sendgrid, subuser: undefined, left }, span, async () => ['a', 'b', 'c']);
  expect(found.isComplete).toBe(false);
  expect(left.lists).toBe(0);
  expect(provider.asked.filter(({ path }) => path.includes('/logs'))).toHaveLength(40);
});
