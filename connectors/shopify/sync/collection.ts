/**
 * A collection is a list of Shopify that we keep a copy of: the queries that read it, the structure of its bulk lines,
 * and the rows of an object. `backfill.ts` and `incremental.ts`
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

/** An object with connections as plain lists, regardless of how it was read. */
export type Node = Record<string, unknown>;

/** A list of children. Among several of one parent the type in the child's id decides, else the one without a type. */
export type Branch = {
  list: string;
  type?: string;
  children?: Shape;
  /** Ids by which children refer to this line, if not by its own. */
  ids?(line: Node): readonly unknown[];
};
export type Shape = readonly Branch[];

/** Which objects wait for something that Shopify does not count as a change. */
export type Unready = {
  /** The stored instant from which their time counts. */
  by: string;
  /** By what of a stored row it is told that it waits. */
  where: Readonly<Record<string, string>>;
  /** Asks for the state of objects by their ids. */
  query: Query;
  isReady(node: Fields): boolean;
};

export type Collection = {
  name: string;
  target: Target;
  page: RootQuery;
  count: RootQuery;
  byIds: Query;
  /** As in its ids, gid://shopify/<type>/<number>. */
  type: string;
  /** A list whose changes require objects of this one to be read too. */
  alsoChangedBy?: Feed;
  /** These are asked for again (`unready.ts`). */
  unready?: Unready;
  /** Page size; halved if Shopify finds it too large. */
  pageSize: number;
  bulk(filter: string): string;
  /**
   * The filter field of the last change, by which changes are read and counted. Shopify refuses one that the list does not
   * have; a list without any is no collection, and its stream reads it in pages of its own.
   */
  changedFilter: string;
  /** The filter field of the creation time, which splits a bulk result that is too large. */
  createdFilter: string;
  /** Its filter by the last change uses whole days only and ignores the time of day. */
  filtersWholeDays?: boolean;
  /** The lists of children that lines of a bulk result fill. */
  shape: Shape;
  /** Turns the connections of an object of a page into lists, and requests missing children. */
  complete(shopify: Shopify, node: Fields): Promise<Node>;
  /** Throws `InvalidField` for an object that cannot be stored. */
  toItem(node: Fields): Item;
};

/** The object as an item, or the reason for quarantine. */
export function read(collection: Pick<Collection, 'toItem' | 'target'>, node: Fields): Result<PackedItem> {
  return resultOf(node, () => pack(collection.target, collection.toItem(node)), SET_ASIDE);
}

/** The objects as items, with their missing children. */
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

/** A quarantined record has the number in its id as key, like its row would. */
export const SET_ASIDE: Kept = { idOf: (id) => id.slice(id.lastIndexOf('/') + 1) };

export type Connection = { nodes: readonly Fields[]; next: string | null };

/** A `{ nodes, pageInfo }` of an answer. Anything else is refused. */
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
