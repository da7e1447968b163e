/** A page of a list: newest first, bounded by time, filtered, walked by cursors. */

import type { Kind } from '../kinds.ts';
import type { Source, StripeObject } from '../objects.ts';
import { isNotCanceled } from './filters.ts';
import { type Params, readLimit, readRange, textParam, unknownParam } from './query.ts';
import { missing, StripeError } from './stripe_error.ts';

export const EVENTS_KEPT_SECONDS = 30 * 86_400;
const COMMON = ['limit', 'starting_after', 'ending_before', 'expand', 'created'];

export type ListRequest = {
  kind: Kind;
  source: Source;
  params: Params;
  now: number;
  /** Objects that are there but not listed yet. */
  isHidden: (id: string) => boolean;
  /** 1 for the objects that are to be shown in their state before. */
  backOf: (id: string) => 0 | 1;
  /** Serves the page before the one that is asked for. */
  repeats: boolean;
};
export type Page = { data: StripeObject[]; hasMore: boolean };

type Test = (object: StripeObject) => boolean;
/** Some positions of a source, in ascending order. */
type Positions = { length: number; at(index: number): number };

export function listPage(request: ListRequest): Page {
  const { source, params } = request;
  const limit = readLimit(params);
  const { positions, tests } = readFilters(request);
  const bounds = boundsOf(request, positions);
  const after = textParam(params, 'starting_after');
  const before = textParam(params, 'ending_before');
  if (after !== undefined && before !== undefined) {
    throw new StripeError(400, 'You can only provide one of starting_after or ending_before.');
  }
  const cursor = after ?? before;
  const at =
    cursor === undefined
      ? undefined
      : cursorPosition(request, cursor, after ? 'starting_after' : 'ending_before');
  // A cursor from another window of time finds nothing, as at Stripe: the rest of it would be lost.
  if (at !== undefined && !isWithin(source.createdAt(at), bounds)) return { data: [], hasMore: false };
  const { first, end } = bounds;
  const wanted: Test = (object) => tests.every((test) => test(object));
  if (before !== undefined && at !== undefined) {
    const found = collect(request, positions, upTo(positions, at + 1), end, 1, limit + 1, wanted);
    return { data: found.slice(0, limit).reverse(), hasMore: found.length > limit };
  }
  const start = at === undefined ? end : upTo(positions, at);
  if (request.repeats && at !== undefined) {
    const again = collect(request, positions, start, end, 1, limit, wanted);
    return { data: again.reverse(), hasMore: true };
  }
  const found = collect(request, positions, start - 1, first - 1, -1, limit + 1, wanted);
  return { data: found.slice(0, limit), hasMore: found.length > limit };
}

function readFilters({ kind, source, params }: ListRequest): { positions: Positions; tests: Test[] } {
  let positions: Positions | undefined;
  const tests: Test[] = [];
  for (const [name, value] of Object.entries(params)) {
    if (COMMON.includes(name)) continue;
    const filter = kind.filters[name];
    if (!filter) {
      throw unknownParam(name);
    }
    const index =
      filter.index && typeof value === 'string' ? source.positionsWhere(filter.index, value) : undefined;
    if (index && !positions) positions = { length: index.length, at: (at) => index[at] ?? 0 };
    else tests.push(filter.read(value, name));
  }
  if (params.type !== undefined && params.types !== undefined) {
    throw new StripeError(400, 'You may only specify one of these parameters: type, types.');
  }
  if (kind.name === 'subscriptions' && params.status === undefined) tests.push(isNotCanceled);
  // Objects of a test clock stand in no list but their clock's.
  if (params.test_clock === undefined) tests.push((object) => (object.test_clock ?? null) === null);
  return { positions: positions ?? { length: source.length, at: (index) => index }, tests };
}

type Bounds = { from: number; to: number; first: number; end: number };

function boundsOf({ kind, source, params, now }: ListRequest, positions: Positions): Bounds {
  const asked = params.created === undefined ? undefined : readRange(params.created, 'created');
  const kept = kind.name === 'events' ? now - EVENTS_KEPT_SECONDS : Number.NEGATIVE_INFINITY;
  const from = Math.max(asked?.from ?? kept, kept);
  const to = Math.min(asked?.to ?? Number.POSITIVE_INFINITY, now + 1);
  const firstSince = (second: number) =>
    firstWhere(positions.length, (index) => source.createdAt(positions.at(index)) >= second);
  return { from, to, first: firstSince(from), end: firstSince(to) };
}

function isWithin(created: number, { from, to }: Bounds): boolean {
  return created >= from && created < to;
}

function cursorPosition({ kind, source, now }: ListRequest, id: string, param: string): number {
  const position = source.positionOf(id);
  const object = position === undefined ? undefined : source.objectAt(position, now);
  if (position === undefined || !object || object.deleted === true) {
    throw missing(kind.object, id, param, 400);
  }
  return position;
}

/** How many of the positions lie below one. */
function upTo(positions: Positions, position: number): number {
  return firstWhere(positions.length, (index) => positions.at(index) >= position);
}

/** The first index from which on a test holds. */
function firstWhere(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function collect(
  { source, now, isHidden, backOf }: ListRequest,
  positions: Positions,
  start: number,
  stop: number,
  step: 1 | -1,
  limit: number,
  wanted: Test,
): StripeObject[] {
  const found: StripeObject[] = [];
  for (let index = start; index !== stop && found.length < limit; index += step) {
    if (index < 0 || index >= positions.length) break;
    const position = positions.at(index);
    const id = source.idAt(position);
    if (isHidden(id)) continue;
    const object = source.objectAt(position, now, backOf(id));
    if (object && object.deleted !== true && wanted(object)) found.push(object);
  }
  return found;
}

/** A page of a list that stands in an object, in its own order. */
export function pageWithin(rows: readonly StripeObject[], params: Params): Page {
  const limit = readLimit(params);
  const find = (param: string) => {
    const id = textParam(params, param);
    if (id === undefined) return undefined;
    const index = rows.findIndex((row) => row.id === id);
    if (index < 0) throw missing('object', id, param, 400);
    return index;
  };
  const before = find('ending_before');
  if (before !== undefined) {
    return { data: rows.slice(Math.max(0, before - limit), before), hasMore: before > limit };
  }
  const start = (find('starting_after') ?? -1) + 1;
  return { data: rows.slice(start, start + limit), hasMore: start + limit < rows.length };
}
