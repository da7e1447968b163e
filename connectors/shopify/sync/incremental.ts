/**
 * Reads changes since the position, in windows of time. A window has ended before it is requested (LAG), so that
 * nothing is still being written into it, and overlaps the previous one (OVERLAP). The position advances when as many
 * objects were read as Shopify counts in the window.
 */
import type { Page } from '../../kit/stream.ts';
import { checkpoint, emptyPage } from '../../kit/sync_run.ts';
import type { Feed } from './feed.ts';
import type { Wanted } from './look.ts';
import { LAG_MS, type ShopifyRun } from './sync_run.ts';
import { floorSecond, type Position, type Window } from './sync_state.ts';
import {
  type CountedWindow,
  countWindow,
  endOfKnown,
  exactly,
  type KnownObjects,
  lookedSize,
  OVERLAP_MS,
  readWindow,
  WINDOW_OBJECTS_MAX,
  type WindowEnd,
  wantedCount,
  wantedList,
} from './window.ts';

const WINDOW_MS_MIN = 1_000;

/** The instant up to which changes can be read now. */
export function endOfChanges({ look, context }: ShopifyRun): Date {
  return look?.end ?? floorSecond(new Date(context.now().getTime() - LAG_MS));
}

/** The instant from which they must be read; undefined before the first load. */
export function startOfChanges({ position }: { position: Position }): Date | undefined {
  return position.changesTo && new Date(position.changesTo.getTime() - OVERLAP_MS);
}

/** The first query of reading the changes of a feed; none if it continues within a window. */
export function wantedOfChanges(position: Position, feed: Feed, end: Date): Wanted[] {
  const from = startOfChanges({ position });
  if (from === undefined || position.window || from >= end) return [];
  const bounds = { from, to: end };
  return [wantedList(feed, bounds), ...wantedCount(feed, bounds)];
}

export async function* readIncrement(
  run: ShopifyRun,
  feed: Feed,
  end = endOfChanges(run),
): AsyncGenerator<Page> {
  const { window } = run.position;
  let from = startOfChanges(run);
  if (from === undefined) return;
  if (window) {
    const announced = await countWindow(run, feed, { from: window.start, to: window.to });
    if (!(yield* settle(run, feed, { window, announced }))) return;
    from = window.to;
  }
  while (from < end) {
    const next = await nextWindow(run, feed, from, end);
    if (!(yield* settle(run, feed, next))) return;
    from = next.window.to;
  }
  yield checkpoint(run, { ...run.position, catchingUp: undefined });
}

/** Reads a requested window; true if it is complete. The position stays. */
export async function* resyncWindow(
  run: ShopifyRun,
  feed: Feed,
  since: Date,
  until: Date,
): AsyncGenerator<Page, boolean> {
  let isWhole = true;
  let to = until;
  for (let from = floorSecond(since); from < until; ) {
    const counted = await nextWindow(run, feed, from, to);
    const { tooMany, recent, ...end } = yield* readUnknown(run, feed, counted, () => undefined);
    if (tooMany && isDivisible(from, to)) {
      to = middleOf(from, to);
      continue;
    }
    run.position = withSeen(run.position, feed, recent); // stored with the next position, if one follows
    yield { ...emptyPage(run), ...end };
    if (end.incomplete !== undefined) isWhole = false;
    from = counted.window.to;
    to = until;
  }
  return isWhole;
}

/** Reads a window to its end; false if something is missing, and then the next run starts it over. */
async function* settle(run: ShopifyRun, feed: Feed, counted: CountedWindow): AsyncGenerator<Page, boolean> {
  const { window } = counted;
  const { window: _, isUnread: __, ...before } = run.position;
  const reached = (at: Pick<Window, 'from' | 'before'>) =>
    checkpoint(run, { ...before, window: { ...window, ...at } }).position;
  const { recent, ...end } = yield* readUnknown(run, feed, counted, reached);
  const isWhole = end.incomplete === undefined;
  const after: Position = isWhole
    ? withSeen({ ...before, changesTo: window.to }, feed, recent)
    : { ...before, isUnread: true, catchingUp: undefined };
  yield { ...checkpoint(run, after), ...end };
  return isWhole;
}

/** Reads a window, unless a look shows that all of it was read before. */
async function* readUnknown(
  run: ShopifyRun,
  feed: Feed,
  counted: CountedWindow,
  positionAt: Parameters<typeof readWindow>[3],
): AsyncGenerator<Page, WindowEnd> {
  const known = knownIn(run, feed, counted);
  return known ? endOfKnown(feed, counted, known) : yield* readWindow(run, feed, counted, positionAt);
}

/** Reads from `from` on, as far as one filter reaches. */
async function nextWindow(run: ShopifyRun, feed: Feed, from: Date, end: Date): Promise<CountedWindow> {
  let to = end;
  for (;;) {
    const bounds = { from, to };
    const size = await lookedSize(run, feed, bounds);
    // What is not counted exactly cannot be proved to be complete, so such a window is divided too.
    const fits = !size || (size.isExact && size.count <= WINDOW_OBJECTS_MAX) || !isDivisible(from, to);
    if (fits) return { window: { start: from, from, to, before: 0 }, announced: exactly(size) };
    to = middleOf(from, to);
  }
}

/** The objects of a window, if an earlier run has read all of them as they are; else undefined. */
function knownIn(
  run: ShopifyRun,
  feed: Feed,
  { window: { from, to }, announced }: CountedWindow,
): KnownObjects | undefined {
  const listed = run.look?.listOf(wantedList(feed, { from, to }));
  if (!listed) return undefined;
  // Shopify may filter by whole days: what lies before the window was in one before it, and is in the count.
  const within = listed.objects.filter(({ at }) => !(at < from.getTime()));
  if (listed.isAll) {
    // The list and its count disagree: reading the window tells which is right.
    if (announced !== undefined && announced !== listed.objects.length) return undefined;
  } else {
    const reachesBack = feed.isSorted !== false && within.length < listed.objects.length;
    if (!reachesBack || run.position.isUnread) return undefined; // no count proves such a list
  }
  const seen = new Set(run.position.seen?.[feed.name]);
  const isKnown = within.every(({ key }) => seen.has(key));
  return isKnown ? { objects: within, found: listed.isAll ? listed.objects.length : undefined } : undefined;
}

/** Remembers which objects of the overlap were read; none if there are more than a look shows. */
function withSeen(position: Position, { name }: Feed, recent: readonly string[]): Position {
  const { [name]: _, ...others } = position.seen ?? {};
  const seen = recent.length > 0 ? { ...others, [name]: [...recent] } : others;
  const { seen: __, ...rest } = position;
  return Object.keys(seen).length > 0 ? { ...rest, seen } : rest;
}

function isDivisible(from: Date, to: Date): boolean {
  return to.getTime() - from.getTime() >= 2 * WINDOW_MS_MIN;
}

function middleOf(from: Date, to: Date): Date {
  return floorSecond(new Date((from.getTime() + to.getTime()) / 2));
}
