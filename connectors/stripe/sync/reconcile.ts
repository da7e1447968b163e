/**
 * The weekly reconciliation of a collection: objects of the last weeks are listed again, counted and summed by day, and
 * compared with what is stored. Events can get lost, and some changes never have one; so differences are reported, and
 * everything listed is loaded again, which repairs them. Stored objects that are not listed any more are requested one
 * by one, and so are quarantined ones.
 */
import type { Item } from '#sql/load/table.ts';
import { type Failing, failingChecks } from '../../kit/failing.ts';
import { type Difference, differences, newTally, type Tally } from '../../kit/stored/day_sums.ts';
import { quarantinedIds, storedSums, unlistedIds } from '../../kit/stored/stored.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage, withFailures } from '../../kit/sync_run.ts';
import { guardAccount, guardPage } from '../api/account_guard.ts';
import { fetchByIds, unheard } from '../api/fetch_by_id.ts';
import { BEGINNING, OVERLAP_MS } from './backfill.ts';
import type { Collection, Page } from './collection.ts';
import { contentsOf, type StripeRun } from './sync_run.ts';
import { datesOf, secondOf, type Window } from './sync_state.ts';

export const DAYS = 35;
const DAY_SECONDS = 24 * 60 * 60;
/** The limit of objects that one run requests one by one: more do not vanish by themselves. */
const ASKED_MAX = 1_000;
const DAYS_NAMED_MAX = 5;

/** Amounts that never change after creation, so that their sums are comparable. */
const AMOUNTS: Readonly<Record<string, string>> = {
  balance_transactions: 'net',
  charges: 'amount',
  disputes: 'amount',
  payouts: 'amount',
  refunds: 'amount',
};

/** Runs after the changes were read, so that a difference is a fault. The position stays. */
export async function* reconcile(run: StripeRun, collection: Collection): AsyncGenerator<Page> {
  const window = windowOf(run, collection);
  if (!window) return;
  const before = await storedTally(run, collection, window);
  const doubt = await guardAccount(run, collection, window);
  if (doubt) {
    const figures = { name: checkName(collection), expected: 0, found: before.count() }; // none of these may exist
    yield guardPage(run, doubt, [{ ...figures, ok: false, cause: doubt }]);
    return;
  }
  const listed = newTally();
  const ids = new Set<string>();
  for await (const { content, ids: found } of contentsOf(run, collection, [window])) {
    // Both windows list the second at their common edge.
    const items = new Map(content.items.map((item) => [item.id, item]));
    addItems(
      listed,
      collection,
      [...items.values()].filter(({ id }) => !ids.has(id)),
    );
    for (const id of found) ids.add(id);
    yield { ...emptyPage(run), ...content, reconciles: true };
  }
  const unlisted = await unlistedIds(run.context, collection.target, datesOf(window), {
    listed: ids,
    max: ASKED_MAX,
  });
  for await (const page of fetchByIds(run, collection, unheard(unlisted), window.before)) {
    addItems(listed, collection, page.items); // it exists but no list has it, like objects of a test clock
    yield { ...page, reconciles: true };
  }
  const quarantined = await quarantinedIds(run.context, `stripe.${collection.name}`, ASKED_MAX);
  const aside = quarantined.filter((id) => !ids.has(id));
  for await (const page of fetchByIds(run, collection, unheard(aside), window.before))
    yield { ...page, reconciles: true };

  const wrong = differences(listed, before);
  const failing = await failingChecks(run.context, `stripe.${collection.name}`);
  const compared = { listed, before, failing };
  if (wrong.length > 0) yield checksOf(run, collection, { ...compared, stored: before, isMended: true });
  const after = await storedTally(run, collection, window);
  yield checksOf(run, collection, { ...compared, stored: after, isMended: false });
}

/** Whole days, up to the watermark. Undefined before the first load is over. */
function windowOf({ context, position }: StripeRun, { listsAllWeekly }: Collection): Window | undefined {
  const { changesTo, load } = position;
  if (load || !changesTo) return undefined;
  const today = Math.floor(secondOf(context.now()) / DAY_SECONDS) * DAY_SECONDS;
  const from = listsAllWeekly ? BEGINNING : today - DAYS * DAY_SECONDS;
  const before = secondOf(new Date(changesTo.getTime() - OVERLAP_MS));
  return from < before ? { from, before } : undefined;
}

function rootOf({ target, name }: Collection) {
  const [root] = target.tables;
  if (!root) throw new TypeError(`${name} is stored in no table`);
  return root;
}

function addItems(tally: Tally, collection: Collection, items: readonly Item[]): void {
  const { name } = rootOf(collection);
  const amount = AMOUNTS[collection.name];
  for (const { rows } of items) {
    const [row] = rows[name] ?? [];
    if (!row || !(row.created_at instanceof Date)) continue;
    const day = row.created_at.toISOString().slice(0, 10); // in UTC, because seconds bound the list
    const currency = amount === undefined ? '' : String(row.currency);
    tally.add({ day, currency, count: 1, sum: amount === undefined ? '0' : String(row[amount]) });
  }
}

async function storedTally(run: StripeRun, collection: Collection, window: Window): Promise<Tally> {
  const tally = newTally();
  const amount = AMOUNTS[collection.name];
  for (const part of await storedSums(run.context, collection.target, datesOf(window), amount))
    tally.add(part);
  return tally;
}

type Compared = { listed: Tally; stored: Tally; before: Tally; failing: Failing; isMended: boolean };

/**
 * Their number, and their sum in each currency, even if nothing is left of it, now or since a check of it failed.
 * `isMended`: the figures are from before everything was read again.
 */
function checksOf(
  run: StripeRun,
  collection: Collection,
  { listed, stored, before, failing, isMended }: Compared,
): Page {
  const wrong = differences(listed, stored);
  const then = isMended ? 'they were read again' : 'they still differ: sync everything again with --full';
  const check = checkName(collection);
  const counts = wrong.filter(({ what }) => what === 'count');
  const checks: Check[] = [checkOf(check, { expected: listed.count(), found: stored.count() }, counts, then)];
  const sumsCheck = `${check} in `;
  const failed = [...failing.keys()].filter((name) => name.startsWith(sumsCheck));
  const currencies = new Set([
    ...[listed, stored, before].flatMap((tally) => tally.currencies()),
    ...failed.map((name) => name.slice(sumsCheck.length)),
  ]);
  for (const currency of [...currencies].sort()) {
    const sums = wrong.filter((one) => one.what === 'sum' && one.currency === currency);
    const figures = { expected: listed.sum(currency), found: stored.sum(currency) };
    if (currency !== '') checks.push(checkOf(`${sumsCheck}${currency}`, figures, sums, then));
  }
  return withFailures({ ...emptyPage(run), checks });
}

function checkName({ name, listsAllWeekly }: Collection): string {
  return `listed ${name}${listsAllWeekly ? '' : ` of ${DAYS} days`}`;
}

function checkOf(
  name: string,
  figures: Pick<Check, 'expected' | 'found'>,
  wrong: readonly Difference[],
  then: string,
): Check {
  if (wrong.length === 0) return { name, ...figures, ok: true };
  const named = wrong
    .slice(0, DAYS_NAMED_MAX)
    .map(({ day, expected, found }) => `${day} (listed ${expected}, stored ${found})`);
  const more = wrong.length > DAYS_NAMED_MAX ? ` and ${wrong.length - DAYS_NAMED_MAX} more days` : '';
  return { name, ...figures, ok: false, cause: `${name} differ on ${named.join(', ')}${more}; ${then}` };
}
