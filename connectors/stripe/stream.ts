/** Declares a stream of Stripe: a few facts about its objects, on top of the kit. */
import type { Item } from '#sql/load/table.ts';
import { type Columns, type RecordTable, recordTable, rest } from '../kit/columns.ts';
import { defineStream } from '../kit/define_stream.ts';
import type { Fields } from '../kit/fields.ts';
import type { Stream, StreamContext, Target } from '../kit/stream.ts';
import { text } from './api/columns.ts';
import type { Collection, Page, Seen } from './sync/collection.ts';
import type { StripeStream } from './sync/event_feed.ts';
import { collectionPages, fetchPages, needsBackfill } from './sync/sync.ts';

type StreamFacts = Pick<Stream, 'scopes' | 'scopesOptional' | 'hasStates' | 'feeds' | 'needsBackfill'> & {
  /** If reading it takes more than its list and its events. */
  pages?: (context: StreamContext, collection: Collection) => AsyncIterable<Page>;
  fetch?: typeof fetchPages;
};

/** For objects that are one row each. `id` and the rest as `payload` are added. */
type FlatStream = StreamFacts &
  Omit<Collection, 'target' | 'toItem'> &
  Pick<Target, 'dependents'> &
  Pick<RecordTable, 'digested' | 'personal'> & { columns: Columns };

export function stripeStream({ columns, digested, personal, dependents, ...facts }: FlatStream) {
  const table = recordTable({
    name: `raw.stripe_${facts.name}`,
    key: ['id'],
    ...(digested && { digested }),
    observed: true,
    personal,
    columns: { id: text('id'), ...columns, payload: columns.payload ?? rest(facts.leftOut) },
  });
  const toItem = (object: Fields, { sentAt }: Pick<Seen, 'sentAt'>): Item => {
    const row = table.rowOf(object);
    return { id: String(row.id), changedAt: sentAt, rows: { [table.name]: [row] } };
  };
  const target = { tables: [table], ...(dependents && { dependents }) };
  return { ...collectionStream({ ...facts, target, toItem }, facts), table, toItem };
}

/** For objects that are rows of several tables. */
export function collectionStream(collection: Collection, facts: StreamFacts): StripeStream {
  const { scopes, scopesOptional, hasStates, feeds, pages = collectionPages, fetch = fetchPages } = facts;
  const stream = defineStream({
    name: `stripe.${collection.name}`,
    provider: 'stripe',
    scopes,
    ...(scopesOptional && { scopesOptional }),
    ...(hasStates && { hasStates }),
    ...(feeds && { feeds }),
    ...collection.target,
    pages: (context) => pages(context, collection),
    fetch: (context, ids) => fetch(context, collection, ids),
    needsBackfill: facts.needsBackfill ?? needsBackfill,
  });
  return { ...stream, collection };
}
