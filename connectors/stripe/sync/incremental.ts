/**
 * What changed, by Stripe's events. An event shows its object as it was then, in a version that is not
 * ours, so it only says that the object changed, and the object is read again. Events come to be listed
 * out of order: the last minute is left for later, and some minutes before the position are read again.
 */
import type { Fields } from '../../kit/fields.ts';
import { checkpoint, emptyPage } from '../../kit/sync_run.ts';
import { ObjectMissing } from '../api/answers.ts';
import type { Stripe } from '../api/client.ts';
import { below } from '../api/coerce.ts';
import { type Changed, datesOfSign, fetchByIds, type Noted } from '../api/fetch_by_id.ts';
import { listPages } from '../api/list.ts';
import { OVERLAP_MS } from './backfill.ts';
import { type Collection, type Page, pathOf } from './collection.ts';
import { contentsOf, type StripeRun } from './sync_run.ts';
import { dateOf, secondOf, type Window } from './sync_state.ts';

const LAG_MS = 60_000;
/** A longer time is read in steps, each with a position of its own. */
const STEP_SECONDS = 24 * 60 * 60;
/** From so many new objects on their list is shorter than asking for each. */
const NEW_OBJECTS_LISTED_MIN = 20;

export async function* readIncrement(run: StripeRun, collection: Collection): AsyncGenerator<Page> {
  const now = secondOf(run.context.now());
  const end = now - LAG_MS / 1000;
  for (;;) {
    const { changesTo } = run.position;
    const from = changesTo === undefined ? end : secondOf(changesTo);
    if (from >= end) return;
    // What is read is as it is now, so it is dated by the newest of all events that there are by now.
    const before = collection.isDated ? end : Math.min(end, from + STEP_SECONDS);
    yield* readStep(run, collection, { from, before }, collection.isDated ? now + 1 : before);
    yield checkpoint(run, { changesTo: dateOf(before) });
  }
}

async function* readStep(
  run: StripeRun,
  collection: Collection,
  step: Window,
  eventsBefore: number,
): AsyncGenerator<Page> {
  const { changed, created } = await changedIn(run, collection, step, eventsBefore);
  if (created >= NEW_OBJECTS_LISTED_MIN) {
    const datesOf = (id: string) => datesOfSign(changed.get(id), step.from);
    for await (const { content, ids } of contentsOf(run, collection, [step], datesOf)) {
      for (const id of ids) changed.delete(id);
      yield { ...emptyPage(run), ...content };
    }
  }
  yield* fetchByIds(run, collection, changed, step.from);
}

/** An event is let go as soon as it is heard: there may be any number of them, each with its whole object. */
async function changedIn(
  { stripe }: StripeRun,
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
  const owners: Changed = new Map();
  let created = 0;
  const hear = (event: Fields) => {
    const data = below(event, 'data');
    const object = below(data, 'object');
    const sign = signOf(event, from, eventsBefore);
    if (object.object !== collection.object) {
      const told = collection.toldBy?.(object, below(data, 'previous_attributes')) ?? { id: null };
      if ('id' in told) note(changed, told.id, sign);
      else note(owners, told.owner, sign);
    } else if (typeof object.id === 'string') {
      const isNew = typeof object.created === 'number' && object.created >= from && object.created < before;
      if (isNew && !changed.has(object.id)) created++;
      note(changed, object.id, sign);
    }
  };
  for await (const { objects } of pages) objects.forEach(hear);
  for (const [owner, sign] of owners)
    for (const id of await ownedBy(stripe, collection, owner)) note(changed, id, sign);
  return { changed, created };
}

/** One that does not say when, or says what was not asked for, still tells that something changed. */
function signOf(event: Fields, from: number, before: number): Noted {
  const told = Number(event.created);
  const at = Number.isSafeInteger(told) && told >= 0 && told < before ? told : 0;
  const isNew = at >= from; // older ones were read before, unless they came late
  return { at, first: isNew ? at : undefined, isDeleted: String(event.type).endsWith('.deleted') };
}

function note(changed: Changed, id: string | null, sign: Noted): void {
  if (id === null) return;
  const noted = changed.get(id) ?? sign;
  const first = Math.min(sign.first ?? Infinity, noted.first ?? Infinity);
  changed.set(id, {
    at: Math.max(sign.at, noted.at),
    first: first === Infinity ? undefined : first,
    isDeleted: sign.isDeleted || noted.isDeleted,
  });
}

/** None of an owner that Stripe does not know any more. */
async function ownedBy(stripe: Stripe, collection: Collection, owner: string): Promise<readonly string[]> {
  const { ownedBy: by } = collection;
  if (by === undefined) throw new TypeError(`${collection.name} of an owner have no parameter of their list`);
  const ids: string[] = [];
  try {
    for await (const { objects } of listPages(stripe, pathOf(collection), [[by, owner]]))
      for (const { id } of objects) if (typeof id === 'string') ids.push(id);
  } catch (error) {
    if (!(error instanceof ObjectMissing && error.param === by)) throw error;
  }
  return ids;
}
