/**
 * Reads changes by Stripe's events: the objects that they name are read again. Events are listed out of order, so the
 * last minute is left for later, and some minutes before the position are listed again.
 */
import { checkpoint, emptyPage } from '../../kit/sync_run.ts';
import type { Stripe } from '../api/client.ts';
import { type Changed, datesOfSign, fetchByIds, ownedBy } from '../api/fetch_by_id.ts';
import { listPages } from '../api/list.ts';
import type { Collection, Page } from './collection.ts';
import { type FeedPart, feedOf, LAG_SECONDS, STEP_SECONDS } from './event_feed.ts';
import { addSign, type Heard, listener, OVERLAP_SECONDS } from './listen.ts';
import { contentsOf, type StripeRun } from './sync_run.ts';
import { dateOf, type Position, secondOf } from './sync_state.ts';

/** From this many new objects on, listing is cheaper than requesting each. */
const NEW_OBJECTS_LISTED_MIN = 20;

/** The number of ids that a position keeps; where there are more, it stays. */
const UNREAD_MAX = 500;

export async function* readIncrement(run: StripeRun, collection: Collection): AsyncGenerator<Page> {
  const shared = await feedOf(run, collection);
  if (shared && !(collection.isDated && hasNews(run, shared))) {
    yield* readStep(run, collection, shared);
    return;
  }
  const now = secondOf(run.context.now());
  const end = now - LAG_SECONDS;
  for (;;) {
    const { changesTo, heard = [] } = run.position;
    const from = changesTo === undefined ? end : secondOf(changesTo);
    if (from >= end) return;
    // Objects are read in their current state, so the newest of all current events dates them.
    const before = collection.isDated ? end : Math.min(end, from + STEP_SECONDS);
    const eventsBefore = collection.isDated ? now + 1 : before;
    const listening = listener(collection, { from, before, eventsBefore, known: new Set(heard) });
    for await (const { objects } of listPages(run.stripe, '/v1/events', [
      ['created[gte]', String(from - OVERLAP_SECONDS)],
      ['created[lt]', String(eventsBefore)],
      ...collection.events.map((type) => ['types[]', type] as const),
    ]))
      objects.forEach(listening.hear);
    if (!(yield* readStep(run, collection, { step: { from, before }, heard: listening.heard() }))) return;
  }
}

/**
 * Versions are read as they are now, but the shared feed was listed when the run began: events since then would be
 * missing from their dates. A stream that has versions to read lists its own events.
 */
function hasNews({ position: { unread } }: StripeRun, { heard: { changed, owners } }: FeedPart): boolean {
  return changed.size + owners.size > 0 || unread !== undefined;
}

/**
 * Reads the reported objects, then moves the position to the end of the step. Returns false if it stays because Stripe
 * returns too few of them: the next run reads them again.
 */
async function* readStep(
  run: StripeRun,
  collection: Collection,
  { step, heard }: FeedPart,
): AsyncGenerator<Page, boolean> {
  const unread = yield* heardPages(run, collection, { step, heard });
  if (unread.length > UNREAD_MAX) {
    yield { ...emptyPage(run), incomplete: tooManyUnread(collection, unread.length) };
    return false;
  }
  const known = heard.recent.length > 0 ? { heard: heard.recent } : {};
  yield checkpoint(run, { changesTo: dateOf(step.before), ...known, ...unreadOf(unread) });
  return true;
}

function tooManyUnread({ name }: Collection, count: number): string {
  return `Stripe does not return ${count} ${name} that its events name, more than ${UNREAD_MAX}: they are read again from there; if that does not end, sync everything again with --full`;
}

/** Returns the ids of objects that Stripe does not return. */
async function* heardPages(
  run: StripeRun,
  collection: Collection,
  { step, heard }: FeedPart,
): AsyncGenerator<Page, string[]> {
  const changed = await withOwned(run.stripe, collection, heard);
  for (const id of run.position.unread ?? []) addSign(changed, id, { at: 0, isDeleted: false });
  if (heard.created >= NEW_OBJECTS_LISTED_MIN) {
    const datesOf = (id: string) => datesOfSign(changed.get(id), step.from);
    for await (const { content, ids } of contentsOf(run, collection, [step], datesOf)) {
      for (const id of ids) changed.delete(id);
      yield { ...emptyPage(run), ...content };
    }
  }
  return yield* fetchByIds(run, collection, changed, step.from, (second, unread) =>
    isResumable(collection) && second > step.from && unread.length <= UNREAD_MAX
      ? checkpoint(run, { ...run.position, changesTo: dateOf(second), ...unreadOf(unread) }).position
      : undefined,
  );
}

function unreadOf(ids: readonly string[]): Pick<Position, 'unread'> {
  return ids.length > 0 ? { unread: [...ids] } : {};
}

/** A step that begins in the midst of another one no longer knows since when its objects were unread. */
function isResumable({ isDated }: Collection): boolean {
  return !isDated;
}

/** The reported objects, and those of the reported owners. */
async function withOwned(stripe: Stripe, collection: Collection, heard: Heard): Promise<Changed> {
  const changed: Changed = new Map(heard.changed);
  for (const [owner, sign] of heard.owners)
    for (const id of await ownedBy(stripe, collection, owner)) addSign(changed, id, sign);
  return changed;
}
