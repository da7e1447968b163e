/** The state of one run of a stream of Stripe. */
import type { Fields } from '../../kit/fields.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { newRun, type SyncRun } from '../../kit/sync_run.ts';
import { openStripe, type Params, type Stripe } from '../api/client.ts';
import { ModeMixed } from '../api/key.ts';
import { expansion, listPage } from '../api/list.ts';
import type { Collection, Content, Seen } from './collection.ts';
import { contentOf, pathOf } from './collection.ts';
import { type Position, positionSchema, type Window } from './sync_state.ts';
import { readWindows } from './windows.ts';

export type StripeRun = SyncRun<Position> & { stripe: Stripe };

/** Refuses a key of another mode than that of the stored data. */
export function openRun(context: StreamContext): StripeRun {
  const stripe = openStripe(context);
  const run = newRun(context, positionSchema);
  const { livemode, catchingUp, ...position } = run.position;
  if (livemode !== undefined && livemode !== stripe.livemode)
    throw new ModeMixed(context.connection, 'The key', livemode);
  const fixed = { livemode: stripe.livemode };
  if (catchingUp !== context.request) return { ...run, position: { livemode, ...position }, stripe, fixed };
  return { ...run, stripe, fixed: { ...fixed, catchingUp } };
}

/** A full sync that an earlier attempt of the same request has finished is not due again. */
export function isFullDue({ context, position }: StripeRun): boolean {
  return context.full && position.catchingUp !== context.request;
}

/** Everything that was created in these windows, with the remaining windows after each part. */
export async function* contentsOf(
  { stripe, position: { changesTo } }: StripeRun,
  collection: Collection,
  windows: readonly Window[],
  datesOf: (id: string) => Omit<Seen, 'sentAt'> = () => ({ unseenFrom: changesTo }),
): AsyncGenerator<{ content: Content; ids: readonly string[]; left: Window[] }> {
  const fixed: Params = [
    ...(collection.params ?? []),
    ...expansion((collection.expand ?? []).map((field) => `data.${field}`)),
  ];
  const pages = readWindows(async ({ from, before, after }) => {
    const bounds = [
      ['created[gte]', String(from)],
      ['created[lt]', String(before)],
    ] as const;
    const page = await listPage(stripe, pathOf(collection), [...fixed, ...bounds], after);
    const { sentAt } = page;
    const seen = ({ id }: Fields) => ({ sentAt, ...datesOf(String(id)) });
    const found = page.objects.map((object) => ({ object, seen: seen(object) }));
    return { ...page, content: await contentOf(stripe, collection, found) };
  }, windows);
  for await (const { answers, left } of pages) {
    const ids = answers.flatMap(({ objects }) => objects.map(({ id }) => String(id)));
    yield { content: together(answers.map(({ content }) => content)), ids, left };
  }
}

function together(contents: readonly Content[]): Content {
  return {
    items: contents.flatMap(({ items }) => items),
    rejected: contents.flatMap(({ rejected }) => rejected),
    deletions: contents.flatMap(({ deletions }) => deletions),
  };
}
