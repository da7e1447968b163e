/** Reads everything in windows of `created`. The remaining windows are stored with each page. */
import { unlistedIds } from '../../kit/stored/stored.ts';
import { checkpoint } from '../../kit/sync_run.ts';
import { guardAccount, guardPage } from '../api/account_guard.ts';
import { fetchByIds, unheard } from '../api/fetch_by_id.ts';
import type { Collection, Page } from './collection.ts';
import { contentsOf, type StripeRun } from './sync_run.ts';
import { secondOf, type Window } from './sync_state.ts';

/** Before anything that Stripe holds: it began in 2010. */
export const BEGINNING = Date.UTC(2010, 0) / 1000;
/** An event may appear later than others of its time, and new objects may not be listed yet. */
export const OVERLAP_MS = 5 * 60_000;

/**
 * The pages of a first load or a full refresh, or the rest of one. Changes since its start are read afterwards. Until a
 * full refresh is over, the watermark of the position stays valid. Returns false if nothing was read because the key
 * seems to belong to another account.
 */
export async function* backfill(run: StripeRun, collection: Collection): AsyncGenerator<Page, boolean> {
  const { load: begun, changesTo } = run.position;
  const askedAt = begun?.askedAt ?? run.context.now();
  const everything = { from: BEGINNING, before: secondOf(askedAt) + 1 };
  const windows = begun?.windows ?? [everything];
  const isSweep = begun ? begun.isSweep === true : changesTo !== undefined;
  const doubt = isSweep ? await guardAccount(run, collection, everything) : undefined;
  if (doubt) {
    yield guardPage(run, doubt);
    return false;
  }
  const listed = collection.canVanish && isSweep ? new Set<string>() : undefined;
  for await (const { content, ids, left } of contentsOf(run, collection, windows)) {
    for (const id of ids) listed?.add(id);
    yield { ...checkpoint(run, { changesTo, load: { askedAt, windows: left, isSweep } }), ...content };
  }
  if (listed) {
    // After an interrupted full refresh, the objects that it had listed before are unknown.
    await listIds(run, collection, outside(windows, everything), listed);
    yield* readUnlisted(run, collection, listed, askedAt);
  }
  if (run.context.full) run.fixed = { ...run.fixed, catchingUp: run.context.request };
  yield checkpoint(run, { changesTo: new Date(askedAt.getTime() - OVERLAP_MS) });
  return true;
}

async function listIds(
  run: StripeRun,
  collection: Collection,
  windows: readonly Window[],
  listed: Set<string>,
): Promise<void> {
  for await (const { ids } of contentsOf(run, collection, windows)) for (const id of ids) listed.add(id);
}

/** The parts of the whole that no window covers. */
export function outside(windows: readonly Window[], { from, before }: Window): Window[] {
  const rest: Window[] = [];
  let end = from;
  for (const window of windows.toSorted((one, other) => one.from - other.from)) {
    if (window.from > end) rest.push({ from: end, before: window.from });
    end = Math.max(end, window.before);
  }
  if (end < before) rest.push({ from: end, before });
  return rest;
}

/** Stored objects that were not listed may have been deleted without an event: each is requested. */
async function* readUnlisted(
  run: StripeRun,
  collection: Collection,
  listed: ReadonlySet<string>,
  askedAt: Date,
): AsyncGenerator<Page> {
  const before = new Date(askedAt.getTime() - OVERLAP_MS);
  const unlisted = await unlistedIds(run.context, collection.target, { before }, { listed });
  yield* fetchByIds(run, collection, unheard(unlisted), secondOf(askedAt));
}
