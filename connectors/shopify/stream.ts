/** A stream of Shopify that keeps a copy of a collection. */
import { defineStream } from '../kit/define_stream.ts';
import type { Stream, Target } from '../kit/stream.ts';
import type { Access } from './api/access.ts';
import type { Collection } from './sync/collection.ts';
import { fetchPages } from './sync/fetch_by_id.ts';
import type { ShopifyStream } from './sync/look.ts';
import { collectionPages, needsBackfill, wantedOf } from './sync/sync.ts';

type Facts = Pick<Stream, 'name' | 'scopes' | 'scopesOptional' | 'feeds'> & {
  target: Target;
  /** The collection may depend on the permissions of the key. */
  collectionFor(access: Access): Collection;
  /** Why some of it is missing without an error, if so. */
  hidden?(access: Access, now: Date): string | undefined;
};

export type CollectionStream = ShopifyStream & Pick<Facts, 'collectionFor'>;

export function collectionStream({ target, collectionFor, hidden, ...needs }: Facts): CollectionStream {
  const stream = defineStream({
    ...needs,
    ...target,
    provider: 'shopify',
    pages: (context) => collectionPages(context, needs, collectionFor, hidden),
    fetch: (context, ids) => fetchPages(context, needs, collectionFor, ids),
    needsBackfill,
  });
  return {
    ...stream,
    collectionFor,
    wants: (position, { access, end, now }) =>
      wantedOf(collectionFor(access), position, { end, isHidden: hidden?.(access, now) !== undefined }),
  };
}
