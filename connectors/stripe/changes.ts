/**
 * What changed, by Stripe's events. An event shows its object as it was then, in a version that is not
 * ours, so it only says that the object changed, and the object is read again. Events come to be listed
 * out of order: the last minute is left for later, and some minutes before the position are read again.
 */
import { type Fields, isObject } from '../fields.ts';
import type { Collection, Page } from './collection.ts';
import { OVERLAP_MS } from './first_load.ts';
import { listPages } from './list.ts';
import { dateOf, secondOf, type Window } from './position.ts';
import { type Changed, datesOfSign, readEach } from './read_each.ts';
import { contentsOf, emptyPage, type Reading, store } from './reading.ts';
import { below } from './values.ts';

const LAG_MS = 60_000;
/** A longer time is read in steps, each with a position of its own. */
const STEP_SECONDS = 24 * 60 * 60;
/** From so many new objects on their list is shorter than asking for each. */
const NEW_OBJECTS_LISTED_MIN = 20;

export async function* readChanges(reading: Reading, collection: Collection): AsyncGenerator<Page> {
  const now = secondOf(reading.context.now());
  const end = now - LAG_MS / 1000;
  for (;;) {
    const { changesTo } = reading.position;
    const from = changesTo === undefined ? end : secondOf(changesTo);
    if (from >= end) return;
    // What is read is as it is now, so it is dated by the newest of all events that there are by now.
    const before = collection.isDated ? end : Math.min(end, from + STEP_SECONDS);
    yield* readStep(reading, collection, { from, before }, collection.isDated ? now + 1 : before);
    yield store(reading, { changesTo: dateOf(before) });
  }
}

async function* readStep(
  reading: Reading,
  collection: Collection,
  step: Window,
  eventsBefore: number,
): AsyncGenerator<Page> {
  const { changed, created } = await changedIn(reading, collection, step, eventsBefore);
  if (created >= NEW_OBJECTS_LISTED_MIN) {
    const datesOf = (id: string) => datesOfSign(changed.get(id), step.from);
    for await (const { content, ids } of contentsOf(reading, collection, [step], datesOf)) {
      for (const id of ids) changed.delete(id);
      yield { ...emptyPage(reading), ...content };
    }
  }
  yield* readEach(reading, collection, changed, step.from);
}

async function changedIn(
  { stripe }: Reading,
  collection: Collection,
  { from, before }: Window,
  eventsBefore: number,
): Promise<{ changed: Changed; created: number }> {
  const pages = listPages(stripe, '/v1/events', [
    ['created[gte]', String(from - OVERLAP_MS / 1000)],
    ['created[lt]', String(eventsBefore)],
    ...collection.events.map((type) => ['types[]', type] as const),
  ]);
  const changed: Changed = new Map();
  let created = 0;
  const others: { object: Fields; event: Fields }[] = [];
  const note = (id: string, event: Fields) => {
    const noted = changed.get(id);
    // One that does not say when, or says what was not asked for, still tells that something changed.
    const told = Number(event.created);
    const created = Number.isSafeInteger(told) && told >= 0 && told < eventsBefore ? told : 0;
    const at = Math.max(created, noted?.at ?? 0);
    const isNewSign = created >= from; // older ones were read before, unless they came late
    const first = isNewSign ? Math.min(created, noted?.first ?? Infinity) : noted?.first;
    const isDeleted = String(event.type).endsWith('.deleted') || noted?.isDeleted === true;
    changed.set(id, { at, first, isDeleted });
  };
  const hear = (event: Fields) => {
    const object = isObject(event.data) && isObject(event.data.object) ? event.data.object : {};
    const isNew = typeof object.created === 'number' && object.created >= from && object.created < before;
    if (object.object !== collection.object) others.push({ object, event });
    else if (typeof object.id === 'string') {
      if (isNew && !changed.has(object.id)) created++;
      note(object.id, event);
    }
  };
  for await (const { objects } of pages) objects.forEach(hear);
  for (const { object, event } of others) {
    const before = below(below(event, 'data'), 'previous_attributes');
    for (const id of (await collection.changed?.(stripe, object, before)) ?? []) note(id, event);
  }
  return { changed, created };
}
