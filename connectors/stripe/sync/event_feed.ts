/**
 * The events of an account, listed once for all streams of a run: without types, because Stripe takes 20 of them at
 * most. A stream that is too far behind for that lists its own.
 */
import { isAlone } from '../../kit/account_run.ts';
import type { Stream } from '../../kit/stream.ts';
import { parseState } from '../../kit/sync_run.ts';
import { listPages } from '../api/list.ts';
import type { Collection } from './collection.ts';
import { type Heard, type Listener, listener, OVERLAP_SECONDS } from './listen.ts';
import type { StripeRun } from './sync_run.ts';
import { positionSchema, secondOf, type Window } from './sync_state.ts';

/** What was created or changed just now may not be listed yet. */
export const LAG_SECONDS = 60;
/** A longer time is read in steps, each with a position of its own. */
export const STEP_SECONDS = 24 * 60 * 60;

export type StripeStream = Stream & { collection: Collection };

/** What the feed says of a collection, in the time that follows its position. */
export type FeedPart = { step: Window; heard: Heard };

const FEED = Symbol('events of the account');

/** Undefined where a run reads one stream, or the stream is too far behind. */
export async function feedOf(run: StripeRun, { name }: Collection): Promise<FeedPart | undefined> {
  const { account } = run.context;
  if (isAlone(account)) return undefined;
  return (await account.once(FEED, () => readFeed(run))).get(name);
}

async function readFeed({ stripe, context }: StripeRun): Promise<ReadonlyMap<string, FeedPart>> {
  const now = secondOf(context.now());
  const listening = new Map<string, { step: Window; listener: Listener }>();
  for (const { stream, position } of context.account.streams) {
    if (!isOfStripe(stream)) continue;
    const { collection } = stream;
    const step = stepOf(collection, position, now);
    if (!step) continue;
    const { heard = [] } = parseState(positionSchema, position);
    const eventsBefore = collection.isDated ? now + 1 : step.before;
    const wanted = { ...step, eventsBefore, known: new Set(heard) };
    listening.set(collection.name, { step, listener: listener(collection, wanted, now + 1) });
  }
  const all = [...listening.values()];
  if (all.length === 0) return new Map();
  const from = Math.min(...all.map(({ step }) => step.from)) - OVERLAP_SECONDS;
  const pages = listPages(stripe, '/v1/events', [
    ['created[gte]', String(from)],
    ['created[lt]', String(now + 1)],
  ]);
  for await (const { objects } of pages)
    for (const event of objects) for (const one of all) one.listener.hear(event);
  return new Map([...listening].map(([name, { step, listener: of }]) => [name, { step, heard: of.heard() }]));
}

/** From its position to the end of what can be read now. */
function stepOf({ movedBy }: Collection, position: unknown, now: number): Window | undefined {
  const { changesTo } = parseState(positionSchema, position);
  if (changesTo === undefined) return undefined;
  const from = secondOf(changesTo);
  // Nothing is read because of events that only say that something else moved, so none of them is too young.
  const before = movedBy ? now + 1 : now - LAG_SECONDS;
  return from < before && from >= before - STEP_SECONDS ? { from, before } : undefined;
}

function isOfStripe(stream: Stream): stream is StripeStream {
  return 'collection' in stream;
}
