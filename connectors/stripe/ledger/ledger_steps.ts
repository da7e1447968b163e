/**
 * Keeps the ledger up to date, although no event reports its bookings. It is proved first: if no event moved money,
 * nothing is due to become available and the balance is the sum of what is stored, then nothing is new. Otherwise its
 * newest bookings are listed, and once a day, or if that does not prove it, those of the last weeks.
 */
import { failingChecks } from '../../kit/failing.ts';
import { oldestDue } from '../../kit/stored/stored.ts';
import type { SyncSteps } from '../../kit/sync.ts';
import { checkpoint, emptyPage, parseState } from '../../kit/sync_run.ts';
import { backfill, OVERLAP_MS } from '../sync/backfill.ts';
import type { Collection, Page } from '../sync/collection.ts';
import { type FeedPart, feedOf } from '../sync/event_feed.ts';
import { contentsOf, isFullDue, type StripeRun } from '../sync/sync_run.ts';
import { type Position, positionSchema, secondOf } from '../sync/sync_state.ts';
import { type Balance, balancePages, UNCERTAIN_MS } from './balance.ts';
import { SOURCES, sourceChecks } from './sources.ts';

const LISTED_AGAIN_MS = 14 * 24 * 60 * 60_000;
const LISTED_EACH_MS = 24 * 60 * 60_000;
/** Some become available only after weeks, or months: until they are due nothing of them changes. */
const PENDING = { state: ['status', 'pending'], until: 'available_on' } as const;

/** It is listed without events, so events are never too old for it. */
export function ledgerNeedsBackfill(stored: unknown): boolean {
  const { load, changesTo } = parseState(positionSchema, stored);
  return load !== undefined || changesTo === undefined;
}

export function ledgerSteps(run: StripeRun, collection: Collection): Partial<SyncSteps<Page>> {
  const isBackfillDue = isFullDue(run) || ledgerNeedsBackfill(run.context.position);
  const movedBefore = run.position.movedAt;
  return {
    backfill: isBackfillDue ? () => backfill(run, collection) : undefined,
    increment: () => readLedger(run, collection),
    verify: () => verifySources(run, `stripe.${collection.name}`, movedBefore),
  };
}

async function* readLedger(run: StripeRun, collection: Collection): AsyncGenerator<Page> {
  const feed = await whatMoved(run, collection);
  const due = await oldestDue(run.context, collection.target, PENDING, run.context.now());
  // Bookings without events that cancel each other out leave the balance as it was: they are seen within a day.
  const isProvable = due === undefined && !run.context.reconcile && !isDaily(run);
  const still = isProvable && feed?.heard.fresh === 0 ? feed : undefined;
  const heard = feed && feed.heard.recent.length > 0 ? { heard: feed.heard.recent } : {};
  const proved = ({ at }: Balance, { step }: FeedPart) => {
    const { changesTo = at } = run.position;
    // The events prove it up to where they were listed only.
    const to = Math.min(at.getTime() - UNCERTAIN_MS, step.before * 1000);
    const provedTo = new Date(Math.max(changesTo.getTime(), to));
    return checkpoint(run, { ...withoutHeard(run.position), ...heard, changesTo: provedTo });
  };
  let isListedFar = false;
  yield* balancePages(run, {
    proved: still && ((balance) => proved(balance, still)),
    list(times, isReported) {
      const isFar = !isListedFar && (times > 1 || !isReported || isDaily(run));
      isListedFar ||= isFar;
      return listAgain(run, collection, { isFar, due: times === 1 ? due : undefined, heard });
    },
  });
}

/** An unreadable feed stops the streams that need it; the ledger is listed then. */
async function whatMoved(run: StripeRun, collection: Collection): Promise<FeedPart | undefined> {
  try {
    return await feedOf(run, collection);
  } catch (error) {
    if (run.context.account.isShared(error)) return undefined;
    throw error;
  }
}

/** Whether a day has passed since the last weeks were listed. */
function isDaily({ position: { listedAt }, context }: StripeRun): boolean {
  return listedAt === undefined || context.now().getTime() - listedAt.getTime() >= LISTED_EACH_MS;
}

type Listing = {
  /** Whether the last weeks are listed too. */
  isFar: boolean;
  /** The oldest booking that may have become available. */
  due: Date | undefined;
  heard: Pick<Position, 'heard'>;
};

/** New bookings, or also those of the last weeks that may have changed. */
async function* listAgain(
  run: StripeRun,
  collection: Collection,
  { isFar, due, heard }: Listing,
): AsyncGenerator<Page> {
  const now = run.context.now();
  const { changesTo = now, listedAt } = run.position;
  const since = Math.min(changesTo.getTime(), now.getTime()) - (isFar ? LISTED_AGAIN_MS : OVERLAP_MS);
  const from = Math.min(secondOf(new Date(since)), due ? secondOf(due) : Number.POSITIVE_INFINITY);
  // Stripe's clock may be ahead of ours.
  const before = secondOf(new Date(now.getTime() + OVERLAP_MS));
  for await (const { content } of contentsOf(run, collection, [{ from, before }])) {
    yield { ...emptyPage(run), ...content };
  }
  const listed = isFar ? now : listedAt;
  const listedTo = new Date(now.getTime() - UNCERTAIN_MS); // the newest bookings may not be in the list yet
  yield checkpoint(run, { changesTo: listedTo, movedAt: now, ...heard, ...(listed && { listedAt: listed }) });
}

/**
 * At the end the other streams are compared with it: whenever something moved, and again once all of them have been
 * read past that instant.
 */
async function* verifySources(
  run: StripeRun,
  stream: string,
  movedBefore: Date | undefined,
): AsyncGenerator<Page> {
  const { movedAt } = run.position;
  const failing = await failingChecks(run.context, stream);
  if (movedAt === undefined && failing.size === 0) return;
  const page = await sourceChecks(run, failing);
  if (movedAt === undefined || movedAt !== movedBefore || !isReadPast(run, movedAt)) return yield page;
  const { movedAt: _, ...position } = run.position;
  yield { ...page, position: checkpoint(run, position).position };
}

/** Whether all streams that are compared with the ledger began this run after an instant. */
function isReadPast({ context }: StripeRun, instant: Date): boolean {
  return SOURCES.every(({ kind }) => {
    const at = context.account.streams.find(({ stream }) => stream.name === `stripe.${kind}`);
    const { changesTo } = parseState(positionSchema, at?.position);
    return changesTo !== undefined && changesTo.getTime() - OVERLAP_MS > instant.getTime();
  });
}

function withoutHeard({ heard: _, ...position }: Position): Position {
  return position;
}
