/**
 * Before all is listed afresh: whether the key still leads to the account whose data are stored. A key that
 * may not read its own account says nothing of it, and with one of another account everything that is stored
 * would seem deleted. So such a key is asked for some of what is stored: of another account it knows nothing.
 */
import { sampleIds } from '../../kit/stored.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { type Collection, type Page, pathTo } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';
import { datesOf, type Window } from '../sync/sync_state.ts';
import { assertOwnAccount } from './check.ts';
import { getObject } from './list.ts';

/** One or two may well be all that there was, and deleted; so many at once without an event hardly. */
const ASKED_MIN = 3;
const ASKED_MAX = 10;

/** Throws NS_ACCOUNT_DIFFERS if the key can tell. Else the cause, if none of what is stored in the window is there. */
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
    `the key of connection ${name} knows none of ${ids.length} stored ${collection.name}, and may not tell whose it is: ` +
    `it seems to be of another account than ${account}, so nothing was read again or deleted. Give it the key of that ` +
    `account (connections key), or, if they are truly gone, a key that may read its own account`
  );
}

/** What is said instead of reading. It is nothing of a first load, after which all would count as reconciled. */
export function guardPage(run: StripeRun, incomplete: string, checks: Check[] = []): Page {
  return { ...emptyPage(run), phase: 'changes', checks, incomplete };
}
