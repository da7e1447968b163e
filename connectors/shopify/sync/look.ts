/**
 * A look at a shop for all streams of a run, in one request: the shop itself, whether anything lies in the window
 * that each stream is to read, and its counts. A stream that finds what it wants here asks no more.
 */
import { z } from 'zod';
import type { Stream, StreamAt } from '../../kit/stream.ts';
import type { Access } from '../api/access.ts';
import { missingScopes } from '../api/access.ts';
import type { Shopify } from '../api/client.ts';
import { type Query, type RootQuery, SHOP } from '../api/queries.ts';

/** What a stream will ask: whether a list is empty, or a count, within a filter. */
export type Wanted = { query: RootQuery; filter: string };

export type Look = {
  /** Up to where the streams of the run read changes. */
  end: Date;
  shop: Record<string, unknown>;
  /** Undefined where it was not asked for, or Shopify does not know exactly. */
  countOf(wanted: Wanted): number | undefined;
  /** Whether a list was seen to have nothing. */
  isEmpty(wanted: Wanted): boolean;
};

/** A stream of Shopify says what it will ask, so that a look can ask it for all. */
export type ShopifyStream = Stream & {
  wants(position: unknown, place: { access: Access; end: Date; now: Date }): readonly Wanted[];
};

const COST = { shop: 5, count: 10, list: 5 };

const countSchema = z.object({ count: z.int().nonnegative(), precision: z.string() });
const listSchema = z.object({ nodes: z.array(z.unknown()) });
const lookSchema = z.looseObject({ shop: z.record(z.string(), z.unknown()) });

export async function lookAt(
  { shopify, access }: { shopify: Shopify; access: Access },
  streams: readonly StreamAt[],
  { end, now }: { end: Date; now: Date },
): Promise<Look> {
  const wanted = new Map<string, Wanted>();
  for (const { stream, position } of streams)
    if (isOfShopify(stream) && missingScopes(access, stream.scopes).length === 0)
      for (const one of stream.wants(position, { access, end, now })) wanted.set(keyOf(one), one);
  const all = [...wanted.values()];
  const variables = Object.fromEntries(all.map(({ filter }, index) => [`q${index}`, filter]));
  const { shop, ...answers } = await shopify.ask(lookQuery(all), variables, lookSchema);
  const found = new Map(all.map((one, index) => [keyOf(one), answers[`a${index}`]]));
  return {
    end,
    shop,
    countOf(one) {
      const { data } = countSchema.safeParse(found.get(keyOf(one)));
      return data?.precision === 'EXACT' ? data.count : undefined;
    },
    isEmpty: (one) => listSchema.safeParse(found.get(keyOf(one))).data?.nodes.length === 0,
  };
}

export function lookQuery(wanted: readonly Wanted[]): Query {
  const filters = wanted.map((_, index) => `$q${index}: String!`);
  const head = filters.length === 0 ? '' : `(${filters.join(', ')})`;
  const fields = wanted.map(({ query }, index) => {
    const filter = `query: $q${index}`;
    return isCount(query)
      ? `a${index}: ${query.root}(${filter}${query.arguments}) { count precision }`
      : `a${index}: ${query.root}(first: 1, ${filter}) { nodes { id } }`;
  });
  const cost = wanted.reduce((sum, { query }) => sum + (isCount(query) ? COST.count : COST.list), COST.shop);
  return { name: 'Look', cost, text: `query Look${head} { ${SHOP}\n    ${fields.join('\n    ')} }` };
}

function isCount(query: RootQuery): boolean {
  return query.arguments !== undefined;
}

function keyOf({ query, filter }: Wanted): string {
  return `${query.root} ${filter}`;
}

function isOfShopify(stream: Stream): stream is ShopifyStream {
  return 'wants' in stream;
}
