/**
 * A look at a shop for all streams of a run, in one request: the shop itself, the newest objects in the window that
 * each stream is to read, and its counts. A stream that finds nothing new here asks no more.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { isDenied } from '../../kit/permission.ts';
import type { Stream, StreamAt } from '../../kit/stream.ts';
import type { Access } from '../api/access.ts';
import { missingScopes } from '../api/access.ts';
import type { Shopify } from '../api/client.ts';
import { type Query, type RootQuery, SHOP } from '../api/queries.ts';

/** What a stream will ask within a filter: the newest of a list, by the instant in this field, or a count. */
export type Wanted = { query: RootQuery; filter: string; instant?: string };

const KEY_CHARS = 32;

/** An object in the state of an instant. */
export type Listed = { key: string; at: number };

export type Look = {
  /** The instant up to which the streams of the run read changes. */
  end: Date;
  /** Whether any stream of the run has read a page. */
  hasRead: boolean;
  shop: Record<string, unknown>;
  /** Undefined if it was not requested, or Shopify has no exact count. */
  countOf(wanted: Wanted): number | undefined;
  /** What a list begins with, and whether that is all; undefined if it was not requested. */
  listOf(wanted: Wanted): { objects: readonly Listed[]; isAll: boolean } | undefined;
};

/** A stream of Shopify declares its questions, so that one request can carry those of all. */
export type ShopifyStream = Stream & {
  wants(position: unknown, place: { access: Access; end: Date; now: Date }): readonly Wanted[];
};

const COST = { shop: 5, count: 10, list: 10 };
/** Objects of each list that a look shows. */
export const LISTED_MAX = 25;

const countSchema = z.object({ count: z.int().nonnegative(), precision: z.string() });
const listSchema = z.object({
  nodes: z.array(z.record(z.string(), z.unknown())),
  pageInfo: z.object({ hasNextPage: z.boolean() }),
});
const lookSchema = z.looseObject({ shop: z.record(z.string(), z.unknown()) });

export async function lookAt(
  { shopify, access }: { shopify: Shopify; access: Access },
  streams: readonly StreamAt[],
  { end, now }: { end: Date; now: Date },
): Promise<Look> {
  const wanted = new Map<string, Wanted>();
  // What Shopify denies although the scope is granted would fail the look of all: such a stream asks alone.
  for (const { stream, position } of streams)
    if (isOfShopify(stream) && !isDenied(position) && missingScopes(access, stream.scopes).length === 0)
      for (const one of stream.wants(position, { access, end, now })) wanted.set(keyOf(one), one);
  const all = [...wanted.values()];
  const variables = Object.fromEntries(all.map(({ filter }, index) => [`q${index}`, filter]));
  const { shop, ...answers } = await shopify.ask(lookQuery(all), variables, lookSchema);
  const found = new Map(all.map((one, index) => [keyOf(one), answers[`a${index}`]]));
  return {
    end,
    hasRead: false,
    shop,
    countOf(one) {
      const { data } = countSchema.safeParse(found.get(keyOf(one)));
      return data?.precision === 'EXACT' ? data.count : undefined;
    },
    listOf(one) {
      const { data } = listSchema.safeParse(found.get(keyOf(one)));
      if (!data || one.instant === undefined) return undefined;
      const { instant } = one;
      return {
        objects: data.nodes.map((node) => listedAs(node, instant)),
        isAll: !data.pageInfo.hasNextPage,
      };
    },
  };
}

export function lookQuery(wanted: readonly Wanted[]): Query {
  const filters = wanted.map((_, index) => `$q${index}: String!`);
  const head = filters.length === 0 ? '' : `(${filters.join(', ')})`;
  const fields = wanted.map(({ query, instant }, index) => {
    const filter = `query: $q${index}${query.arguments}`;
    if (instant === undefined) return `a${index}: ${query.root}(${filter}) { count precision }`;
    const nodes = `nodes { id ${instant} } pageInfo { hasNextPage }`;
    return `a${index}: ${query.root}(first: ${LISTED_MAX}, ${filter}) { ${nodes} }`;
  });
  const cost = wanted.reduce((sum, { instant }) => sum + (instant ? COST.list : COST.count), COST.shop);
  return { name: 'Look', cost, text: `query Look${head} { ${SHOP}\n    ${fields.join('\n    ')} }` };
}

export function listedAs(node: Record<string, unknown>, instant: string): Listed {
  // A digest, because a position stays where it is, and the object may be a person.
  const key = hash('sha256', `${String(node.id)} ${String(node[instant])}`).slice(0, KEY_CHARS);
  return { key, at: Date.parse(String(node[instant])) };
}

function keyOf({ query, filter }: Wanted): string {
  return `${query.root} ${filter}`;
}

function isOfShopify(stream: Stream): stream is ShopifyStream {
  return 'wants' in stream;
}
