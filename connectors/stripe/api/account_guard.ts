/**
 * Before all is listed afresh: whether the key still leads to the account whose data are stored. A key that
 * may not read its own account says nothing of it, and with one of another account everything that is stored
 * would seem deleted. So such a key is asked for some of what is stored: of another account it knows nothing.
 */
import type { Check } from '../../kit/stream.ts';
import { type Collection, type Page, pathTo } from '../sync/collection.ts';
import { emptyPage, type SyncRun } from '../sync/sync_run.ts';
import { dateOf, type Window } from '../sync/sync_state.ts';
import { assertOwnAccount } from './check.ts';
import { getObject } from './list.ts';

/** One or two may well be all that there was, and deleted; so many at once without an event hardly. */
const ASKED_MIN = 3;
const ASKED_MAX = 10;

/** Throws NS_ACCOUNT_DIFFERS if the key can tell. Else the cause, if none of what is stored in the window is there. */
export async function guardAccount(
  run: SyncRun,
  collection: Collection,
  window: Window,
): Promise<string | undefined> {
  const { stripe, context } = run;
  const { name, account } = context.connection;
  if (await assertOwnAccount(stripe, context.connection)) return undefined;
  const ids = await someStored(run, collection, window);
  if (ids.length < ASKED_MIN) return undefined;
  for (const one of ids) if (await getObject(stripe, pathTo(collection.name, one), [])) return undefined;
  return (
    `the key of connection ${name} knows none of ${ids.length} stored ${collection.name}, and may not tell whose it is: ` +
    `it seems to be of another account than ${account}, so nothing was read again or deleted. Give it the key of that ` +
    `account (connections key), or, if they are truly gone, a key that may read its own account`
  );
}

/** What is said instead of reading. It is nothing of a first load, after which all would count as reconciled. */
export function guardPage(run: SyncRun, incomplete: string, checks: Check[] = []): Page {
  return { ...emptyPage(run), phase: 'changes', checks, incomplete };
}

/** From anywhere in the window, and the same ones if they are asked for again. */
async function someStored(
  { context: { connection, db } }: SyncRun,
  { target, name }: Collection,
  { from, before }: Window,
): Promise<string[]> {
  const [root] = target.tables;
  if (!root) throw new TypeError(`${name} is stored in no table`);
  const { rows } = await db.query<{ id: string }>(
    `select id from ${root.name}
     where brand_id = $1 and connection_id = $2 and deleted_at is null and created_at >= $3 and created_at < $4
     order by md5(id), id limit $5`,
    [connection.brandId, connection.id, dateOf(from), dateOf(before), ASKED_MAX],
  );
  return rows.map(({ id }) => id);
}
