/**
 * Checks before a full listing that the key still belongs to the account whose data are stored. With a key of another
 * account everything stored would seem deleted. A key that may not read its own account cannot be checked directly, so
 * it must find some of the stored objects: a key of another account finds none.
 */
import { sampleIds } from '../../kit/stored/stored.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { type Collection, type Page, pathTo } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';
import { datesOf, type Window } from '../sync/sync_state.ts';
import { assertOwnAccount } from './check.ts';
import { getObject } from './list.ts';

/** One or two missing objects may have been deleted; this many without an event are unlikely. */
const ASKED_MIN = 3;
const ASKED_MAX = 10;

/**
 * Throws NS_ACCOUNT_DIFFERS if the key can read its account. Otherwise returns a cause if it finds none of the objects
 * that are stored in the window.
 */
export async function guardAccount(
  run: StripeRun,
  collection: Collection,
  window: Window,
): Promise<string | undefined> {
  const { stripe, context } = run;
  const { name, account } = context.connection;
  if (await assertOwnAccount(stripe, context.connection)) return undefined;
  const ids = await sampleIds(context, collection.target, datesOf(window), ASKED_MAX);
  if (ids.length < ASKED_MIN) return undefined;
  for (const one of ids) if (await getObject(stripe, pathTo(collection.name, one), [])) return undefined;
  return (
    `the key of connection ${name} finds none of ${ids.length} stored ${collection.name}, and may not read its own account: ` +
    `it seems to belong to another account than ${account}, so nothing was read again or deleted. Store the key of that ` +
    `account (connections key), or, if the objects are really deleted, a key that may read its own account`
  );
}

/**
 * The page that is returned instead of reading. It does not count as a first load, after which everything would count
 * as reconciled.
 */
export function guardPage(run: StripeRun, incomplete: string, checks: Check[] = []): Page {
  return { ...emptyPage(run), phase: 'changes', checks, incomplete };
}
