/** Seconds in which more letters were made than Email Logs list at a time: they are split by status and category. */
import { expect, test } from 'vitest';
import { findStream } from '#connectors/providers.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { storePage } from '#tasks/store_page.ts';
import { eventsOf } from '../../connectors/sendgrid/events/event.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import {
  anEvent,
  asked,
  connectSendGrid,
  forget,
  NOW,
  sendgridSandbox,
} from '../support/providers/sendgrid.ts';
import { testSealer } from '../support/rows/factory.ts';

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
