import { GraphQLError } from 'graphql';
import { get, type Plain } from '../../plain.ts';
import { splitGid } from '../shop.ts';
import type { Args } from './fields.ts';

export const PAGE_MAX = 250;

/** What of a list is asked for; `order` names filter and sort, to which its cursors are bound. */
export type PageRequest = { args: Args; order: string; sortField?: string | undefined; reverse?: boolean };

export type Page = {
  nodes: Plain[];
  edges: { cursor: string; node: Plain }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
};

/** What faults change about the pages of one answer. */
export type PageFaults = {
  expireCursor(): boolean;
  change(page: Page, rows: readonly Plain[], request: PageRequest): Page;
  /** Hides rows that are late, and swaps in older versions. `inCount`: for a count, not for a list. */
  rows(rows: readonly Plain[], inCount?: boolean): readonly Plain[];
};

type Place = { sort: string; id: string };

/**
 * One page of a list that stands in its order. A cursor names the last row by sort value and id, not
 * by position, so that rows which appear or vanish in between shift nothing.
 */
export function pageOf(rows: readonly Plain[], request: PageRequest): Page {
  const { first, last, after, before } = readArgs(request.args);
  const start = after === undefined ? 0 : firstBeyond(rows, readCursor(after, request.order), request, false);
  const end =
    before === undefined ? rows.length : firstBeyond(rows, readCursor(before, request.order), request, true);
  const from = last === undefined ? start : Math.max(start, end - last);
  const to = first === undefined ? end : Math.min(end, from + first);
  const nodes = rows.slice(from, to);
  const edges = nodes.map((node, index) => ({ node, cursor: cursorOf(node, from + index, request) }));
  return {
    nodes,
    edges,
    pageInfo: {
      hasNextPage: to < rows.length,
      hasPreviousPage: from > 0,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function readArgs(args: Args) {
  const [first, last] = [countArg(args, 'first'), countArg(args, 'last')];
  if (first === undefined && last === undefined) {
    throw new GraphQLError('you must provide one of first or last', { extensions: { code: 'BAD_REQUEST' } });
  }
  return { first, last, after: textArg(args.after), before: textArg(args.before) };
}

function countArg(args: Args, name: 'first' | 'last'): number | undefined {
  const value = args[name];
  if (typeof value !== 'number') return undefined;
  if (value > PAGE_MAX) {
    throw new GraphQLError(`${name} cannot exceed ${PAGE_MAX}`, { extensions: { code: 'BAD_REQUEST' } });
  }
  if (value < 0)
    throw new GraphQLError(`${name} cannot be negative`, { extensions: { code: 'BAD_REQUEST' } });
  return value;
}

function textArg(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function cursorOf(node: Plain, index: number, { order, sortField }: PageRequest): string {
  const place = sortField ? placeOf(node, sortField) : { sort: '', id: String(index) };
  return Buffer.from(JSON.stringify([order, place.sort, place.id])).toString('base64url');
}

function readCursor(cursor: string, order: string): Place {
  try {
    const [boundTo, sort, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (boundTo === order) return { sort, id };
  } catch {
    // Falls through: not one of ours.
  }
  throw invalidCursor();
}

export function invalidCursor(): GraphQLError {
  return new GraphQLError('Invalid cursor for current pagination sort.', {
    extensions: { code: 'BAD_REQUEST' },
  });
}

/** Index of the first row beyond a place; with `inclusive`, of the row at the place itself. */
function firstBeyond(rows: readonly Plain[], place: Place, request: PageRequest, inclusive: boolean): number {
  const { sortField, reverse = false } = request;
  if (!sortField) return Math.min(rows.length, Number(place.id) + (inclusive ? 0 : 1));
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    const side = row ? comparePlaces(placeOf(row, sortField), place) * (reverse ? -1 : 1) : 1;
    if (side > 0 || (inclusive && side === 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function placeOf(row: Plain, sortField: string): Place {
  const value = sortField === 'id' ? '' : get(row, sortField);
  return { sort: String(value ?? ''), id: splitGid(String(get(row, 'id')))?.key ?? '' };
}

export function comparePlaces(left: Place, right: Place): number {
  if (left.sort !== right.sort) return left.sort < right.sort ? -1 : 1;
  return compareIds(left.id, right.id);
}

/** Ids are compared as numbers, however long they are. */
function compareIds(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
