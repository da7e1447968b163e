/**
 * A collection is a list of Shopify that we keep a copy of: which queries read it, how the lines of
 * a bulk result hang together, and how one object becomes rows. `backfill.ts` and `incremental.ts`
 * read any of them.
 */
import { type PackedItem, pack } from '#sql/load/pack.ts';
import type { Item } from '#sql/load/table.ts';
import { type Fields, InvalidField, isObject } from '../../kit/fields.ts';
import { completeResult, contentOf, type Kept, type Result, resultOf } from '../../kit/records.ts';
import type { Target } from '../../kit/stream.ts';
import type { Shopify } from '../api/client.ts';
import type { Query, RootQuery } from '../api/queries.ts';
import type { Content, Feed } from './feed.ts';

/** An object as we work with it: connections are plain lists, however it was read. */
export type Node = Record<string, unknown>;

/** A list of children. Of several in one parent, the one with the type in the child's id, else the one without. */
export type Branch = {
  list: string;
  type?: string;
  children?: Shape;
  /** Ids by which children name this line, if not by its own. */
  ids?(line: Node): readonly unknown[];
};
export type Shape = readonly Branch[];

export type Collection = {
  name: string;
  target: Target;
  page: RootQuery;
  count: RootQuery;
  byIds: Query;
  /** As in its ids, gid://shopify/<type>/<number>. */
  type: string;
  /** A list whose changes mean that objects of this one are to be read too. */
  alsoChangedBy?: Feed;
  /** Objects to ask for at once; halved when Shopify finds that too much. */
  pageSize: number;
  bulk(filter: string): string;
  /** The filter field of creation, by which a bulk result that is too large is split. */
  createdFilter: string;
  /** Its filter by the last change knows whole days only, whatever the time in it. */
  filtersWholeDays?: boolean;
  /** The lists of children in an object, as lines of a bulk result fill them. */
  shape: Shape;
  /** Turns the connections of an object of a page into lists, and asks for what did not come with it. */
  complete(shopify: Shopify, node: Fields): Promise<Node>;
  /** Throws `InvalidField` for an object that cannot be stored. */
  toItem(node: Fields): Item;
};

/** The object as an item, or why not. */
export function read(collection: Pick<Collection, 'toItem' | 'target'>, node: Fields): Result<PackedItem> {
  return resultOf(node, () => pack(collection.target, collection.toItem(node)), SET_ASIDE);
}

/** The objects as items, with what did not come with them. */
export async function completeItems(
  { complete, toItem, target }: Collection,
  shopify: Shopify,
  nodes: readonly Fields[],
): Promise<Content> {
  const results: Result<PackedItem>[] = [];
  for (const node of nodes) {
    const steps = {
      complete: () => complete(shopify, node),
      make: (whole: Fields) => pack(target, toItem(whole)),
    };
    results.push(await completeResult(node, steps, SET_ASIDE));
  }
  return contentOf(results);
}

/** What is set aside is known by the number in its id, as its row would be. */
export const SET_ASIDE: Kept = { idOf: (id) => id.slice(id.lastIndexOf('/') + 1) };

export type Connection = { nodes: readonly Fields[]; next: string | null };

/** A `{ nodes, pageInfo }` of an answer. Anything else is not a page of ours. */
export function connectionOf(parent: Fields, key: string): Connection {
  const connection = parent[key];
  const nodes = isObject(connection) ? connection.nodes : undefined;
  const info = isObject(connection) ? connection.pageInfo : undefined;
  if (!Array.isArray(nodes) || !isObject(info))
    throw new InvalidField(key, 'no connection with nodes and pageInfo');
  const { hasNextPage, endCursor } = info;
  if (hasNextPage !== true) return { nodes: nodes.filter(isObject), next: null };
  if (typeof endCursor !== 'string') throw new InvalidField(key, 'a further page without a cursor');
  return { nodes: nodes.filter(isObject), next: endCursor };
}
