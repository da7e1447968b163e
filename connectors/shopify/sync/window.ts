/** Reads the objects of one window of time, page by page, and compares their number with Shopify's own count. */
import { z } from 'zod';
import { messageOf } from '#runtime/errors.ts';
import type { Json } from '#sql/load/table.ts';
import { AnswerNotUnderstood, RequestRefused } from '../../kit/errors.ts';
import type { Fields } from '../../kit/fields.ts';
import type { Check, Page } from '../../kit/stream.ts';
import { PageTooHeavy, PROVIDER } from '../api/answers.ts';
import { type Connection, connectionOf } from './collection.ts';
import type { Feed } from './feed.ts';
import { LISTED_MAX, type Listed, listedAs, type Wanted } from './look.ts';
import type { ShopifyRun } from './sync_run.ts';
import { timeText, type Window } from './sync_state.ts';

/** The paging limit of Shopify for one filter. */
export const WINDOW_OBJECTS_MAX = 25_000;
/** A window reaches back so far into the one before, because some objects show up late. */
export const OVERLAP_MS = 5 * 60_000;
const RECENT_MAX = LISTED_MAX;
const PAGES_MAX = 100_000;
const CURSORS_LOST_MAX = 3;
const REPEATS_MAX = 3;
const DAY_MS = 24 * 60 * 60_000;
/** In a page of at least this many objects, a majority before the window means that the filter was ignored. */
const STRAYS_MIN = 10;

const pageSchema = z.object({ page: z.record(z.string(), z.unknown()) });
const countSchema = z.object({
  count: z.object({ count: z.int().nonnegative(), precision: z.string() }).nullable(),
});

/** `announced`: objects in the whole window when it was begun or resumed. */
export type CountedWindow = { window: Window; announced: number | undefined };
/**
 * The objects of a window, each read before as it is. `found` is their number, undefined where the filter also matched
 * objects that were not listed.
 */
export type KnownObjects = { objects: readonly Listed[]; found: number | undefined };
/** `tooMany`: of a window without an exact count, more than can be paged; what came so far is only a part. */
export type WindowEnd = {
  checks: readonly Check[];
  incomplete?: string;
  tooMany?: boolean;
  /** Objects of the last minutes, which the next window brings again. */
  recent: readonly string[];
};

type Counted = Pick<Feed, 'count' | 'filterField' | 'terms'>;
export type Bounds = { from: Date; to: Date };

/** Where it is not exact, there are at least so many. */
export type Size = { count: number; isExact: boolean };

/** Shopify's count, or undefined if it has none. */
async function sizeOf({ shopify }: ShopifyRun, feed: Counted, bounds: Bounds): Promise<Size | undefined> {
  if (!feed.count) return undefined;
  const { count } = await shopify.ask(feed.count, { query: filterOf(feed, bounds) }, countSchema);
  return count ? { count: count.count, isExact: count.precision === 'EXACT' } : undefined;
}

/** The same from the look of the run, if it has it. */
export async function lookedSize(run: ShopifyRun, feed: Counted, bounds: Bounds): Promise<Size | undefined> {
  const looked = feed.count && run.look?.countOf({ query: feed.count, filter: filterOf(feed, bounds) });
  return looked === undefined ? sizeOf(run, feed, bounds) : { count: looked, isExact: true };
}

/** Undefined if there is no exact count. */
export function exactly(size: Size | undefined): number | undefined {
  return size?.isExact ? size.count : undefined;
}

export async function countWindow(run: ShopifyRun, feed: Counted, bounds: Bounds) {
  return exactly(await sizeOf(run, feed, bounds));
}

export async function lookedCount(run: ShopifyRun, feed: Counted, bounds: Bounds) {
  return exactly(await lookedSize(run, feed, bounds));
}

/** The count that `lookedCount` looks up in the look. */
export function wantedCount(feed: Counted, bounds: Bounds): Wanted[] {
  return feed.count ? [{ query: feed.count, filter: filterOf(feed, bounds) }] : [];
}

/** The list that shows whether a window holds unknown objects. */
export function wantedList(feed: Feed, bounds: Bounds): Wanted {
  return { query: feed.page, filter: filterOf(feed, bounds), instant: feed.instantField };
}

/** Gives the pages; `positionAt` makes their position. In the end, whether everything came. */
export async function* readWindow(
  run: ShopifyRun,
  feed: Feed,
  { window, announced }: CountedWindow,
  positionAt: (at: Pick<Window, 'from' | 'before'>) => Json | undefined,
): AsyncGenerator<Page, WindowEnd> {
  if (run.look) run.look.hasRead = true;
  const progress = trackProgress(feed, window);
  let { from } = window;
  let after: string | null = null;
  let first = feed.pageSize;
  let cursorsLost = 0;
  let repeats = 0;
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = filterOf(feed, { from, to: window.to });
    let nodes: readonly Fields[];
    let next: string | null;
    try {
      const answer = await run.shopify.ask(feed.page, { first, after, query }, pageSchema);
      ({ nodes, next } = pageOf(feed, answer));
    } catch (error) {
      if (error instanceof PageTooHeavy && first > 1) {
        first = Math.ceil(first / 2);
        continue;
      }
      // Shopify may expire a cursor at any time: reading restarts from the last stored object.
      if (!(error instanceof RequestRefused) || after === null || ++cursorsLost > CURSORS_LOST_MAX)
        throw error;
      ({ from } = progress.at());
      after = null;
      continue;
    }
    assertFiltered(feed, window, nodes);
    const contents = await feed.contents(run.shopify, nodes);
    progress.add(nodes);
    for (const [index, content] of contents.entries()) {
      const isLast = index === contents.length - 1;
      const position = isLast ? positionAt(progress.at()) : undefined;
      yield { phase: run.phase, ...content, position, announced };
    }
    if (next === null) {
      const end = await finish(run, feed, { window, announced }, progress.found());
      return { ...end, recent: progress.recent() };
    }
    if (next === after && ++repeats > REPEATS_MAX) break;
    if (announced === undefined && progress.found() >= WINDOW_OBJECTS_MAX)
      return { ...cutShort(feed, window, 'there are more than can be paged'), tooMany: true };
    after = next; // a repeated page has its own cursor: it is requested once more
  }
  if (announced !== undefined)
    return { ...(await finish(run, feed, { window, announced }, progress.found())), recent: [] };
  return cutShort(feed, window, 'the same page comes again and again');
}

/** The end of a window that needs no reading. */
export function endOfKnown(
  feed: Feed,
  { window, announced }: CountedWindow,
  { objects, found }: KnownObjects,
): WindowEnd {
  const isCounted = announced !== undefined && found !== undefined;
  const end = isCounted ? compare(feed, window, announced, found) : { checks: [] };
  return { ...end, recent: recentOf(window, objects) };
}

function cutShort({ name }: Feed, { start, to }: Window, reason: string): WindowEnd {
  const incomplete = `Not all ${name} from ${timeText(start)} to ${timeText(to)} came: ${reason}`;
  return { checks: [], incomplete, recent: [] };
}

/** None if a look would not show all of them. */
function recentOf({ to }: Window, objects: readonly Listed[]): string[] {
  const recent = objects.filter(({ at }) => at >= to.getTime() - OVERLAP_MS).map(({ key }) => key);
  return recent.length < RECENT_MAX ? recent : [];
}

/** Changed objects can only leave a closed window: if fewer came than announced, they are counted again. */
async function finish(
  run: ShopifyRun,
  feed: Feed,
  counted: CountedWindow,
  found: number,
): Promise<Omit<WindowEnd, 'recent'>> {
  const { start, to } = counted.window;
  let expected = counted.announced;
  if (expected !== undefined && found < expected)
    expected = await countWindow(run, feed, { from: start, to });
  return expected === undefined ? { checks: [] } : compare(feed, counted.window, expected, found);
}

function compare(
  feed: Feed,
  { start, to }: Window,
  expected: number,
  found: number,
): Omit<WindowEnd, 'recent'> {
  const check = { name: `${feed.name} in window`, expected, found, ok: found >= expected };
  if (check.ok) return { checks: [check] };
  const incomplete = `Shopify counts ${expected} ${feed.name} from ${timeText(start)} to ${timeText(to)}, ${found} came: the next run reads them again; if that does not help, sync everything again with --full`;
  return { checks: [{ ...check, cause: incomplete }], incomplete };
}

export function filterOf(
  { filterField, terms }: Pick<Feed, 'filterField' | 'terms'>,
  { from, to }: Bounds,
): string {
  // Without the quotes Shopify ignores the time of day and filters by whole days.
  const bounds = `${filterField}:>='${timeText(from)}' AND ${filterField}:<='${timeText(to)}'`;
  return terms ? `${terms} AND ${bounds}` : bounds;
}

/**
 * An ignored filter would return everything, for ever. A few days are tolerated, because it may filter by whole days.
 */
function assertFiltered({ page, instantField }: Feed, window: Window, nodes: readonly Fields[]): void {
  const earliest = window.start.getTime() - DAY_MS;
  const strays = nodes.filter((node) => instantOf(node, instantField) < earliest).length;
  if (strays < STRAYS_MIN || strays * 2 < nodes.length) return;
  throw new RequestRefused(
    PROVIDER,
    page.name,
    `${strays} of ${nodes.length} objects are before the window: the filter is ignored`,
  );
}

function pageOf({ page }: Feed, answer: Fields): Connection {
  try {
    return connectionOf(answer, 'page');
  } catch (error) {
    throw new AnswerNotUnderstood(PROVIDER, page.name, messageOf(error));
  }
}

/** NaN if it is missing: the record itself is quarantined later. */
function instantOf(node: Fields, field: string): number {
  const value = node[field];
  return typeof value === 'string' ? Date.parse(value) : Number.NaN;
}

/**
 * How far the window is stored. While objects come in order, everything before the last one's instant is stored; once
 * one comes out of order this is unknown, and the last known place stays.
 */
function trackProgress({ instantField, isSorted = true }: Feed, window: Window) {
  const seen = new Set<string>();
  const recent = new Map<string, Listed>();
  let place = window.from.getTime();
  let isOrdered = isSorted;
  let anonymous = 0;
  let before = window.before;
  return {
    add(nodes: readonly Fields[]) {
      for (const node of nodes) {
        const at = instantOf(node, instantField);
        const id = typeof node.id === 'string' ? node.id : `no id ${anonymous++}`;
        seen.add(id);
        if (at >= window.to.getTime() - OVERLAP_MS) {
          const listed = listedAs(node, instantField);
          recent.set(listed.key, listed);
        }
        if (!(at >= place)) isOrdered = false;
        if (!isOrdered || at === place || at > window.to.getTime()) continue;
        place = at;
        before = window.before + seen.size - 1; // objects of the same instant are read again from there
      }
    },
    at: () => ({ from: new Date(place), before }),
    found: () => window.before + seen.size,
    recent: () => recentOf(window, [...recent.values()]),
  };
}
