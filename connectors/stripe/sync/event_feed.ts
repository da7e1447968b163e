/**
 * The events of an account, listed once for all streams of a run: without types, because Stripe accepts at most 20. A
 * stream that is too far behind lists its own events.
 */
import { verdictOf } from '#runtime/errors.ts';
import { isAlone } from '../../kit/account_run.ts';
import { AnswerNotUnderstood } from '../../kit/errors.ts';
import type { Stream } from '../../kit/stream.ts';
import { parseState } from '../../kit/sync_run.ts';
import { listPages } from '../api/list.ts';
import type { Collection } from './collection.ts';
import { type Heard, type Listener, listener, OVERLAP_SECONDS } from './listen.ts';
import type { StripeRun } from './sync_run.ts';
import { positionSchema, secondOf, type Window } from './sync_state.ts';

/** Recent objects and changes may not be listed yet. */
export const LAG_SECONDS = 60;
/** A longer time span is read in steps, each with its own position. */
export const STEP_SECONDS = 24 * 60 * 60;

/** A stream that is further behind the others lists its own events, so that one does not make all of them list a day. */
const BEHIND_SECONDS_MAX = 3 * 60 * 60;

export type StripeStream = Stream & { collection: Collection };

/** The part of the feed that concerns a collection, from its position on. */
export type FeedPart = { step: Window; heard: Heard };

const FEED = Symbol('events of the account');

/** Undefined if the run reads only one stream, or the stream is too far behind. */
export async function feedOf(run: StripeRun, { name }: Collection): Promise<FeedPart | undefined> {
  const { account } = run.context;
  if (isAlone(account)) return undefined;
  const parts = await account.once(FEED, () => feedOrNone(run));
  const part = parts.get(name);
  parts.delete(name); // it may hold very many ids
  return part;
}

/** Empty if Stripe refuses the common list: then each stream lists its own events, and can fail separately. */
async function feedOrNone(run: StripeRun): Promise<Map<string, FeedPart>> {
  try {
    return await readFeed(run);
  } catch (error) {
    if (verdictOf(error) !== 'give_up' && !(error instanceof AnswerNotUnderstood)) throw error;
    run.context.log.info({ err: error }, 'the streams of the account list their events one by one');
    return new Map();
  }
}

async function readFeed({ stripe, context }: StripeRun): Promise<Map<string, FeedPart>> {
  const now = secondOf(context.now());
  const steps = context.account.streams.flatMap(({ stream, position }) => {
    if (!isOfStripe(stream)) return [];
    const { collection } = stream;
    const step = stepOf(collection, position, now);
    return step ? [{ collection, position, step }] : [];
  });
  const newest = Math.max(...steps.map(({ step }) => step.from));
  const listening = new Map<string, { step: Window; listener: Listener }>();
  for (const { collection, position, step } of steps) {
    if (step.from < newest - BEHIND_SECONDS_MAX) continue;
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

/** From its position to the end of the readable time. */
function stepOf({ movedBy }: Collection, position: unknown, now: number): Window | undefined {
  const { changesTo } = parseState(positionSchema, position);
  if (changesTo === undefined) return undefined;
  const from = secondOf(changesTo);
  // Events that only say that something else moved cause no reading, so none of them is too recent.
  const before = movedBy ? now + 1 : now - LAG_SECONDS;
  return from < before && from >= before - STEP_SECONDS ? { from, before } : undefined;
}

function isOfStripe(stream: Stream): stream is StripeStream {
  return 'collection' in stream;
}
