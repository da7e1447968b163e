/**
 * The contents of an automatic payout: only Stripe knows which balance transactions it contains. They get its id, and
 * must sum to its amount. Stripe does not list the contents of a manual payout; its own booking is compared with the
 * ledger (`sources.ts`).
 */
import { pack } from '#sql/load/pack.ts';
import { type Item, type Row, table } from '#sql/load/table.ts';
import { failingChecks, overCheck } from '../../kit/failing.ts';
import { type Fields, integer, isUnfit } from '../../kit/fields.ts';
import { fromMinor, shortest } from '../../kit/money.ts';
import { storedRows } from '../../kit/stored/stored.ts';
import { emptyPage, withFailures } from '../../kit/sync_run.ts';
import { placesOf, refIfAny } from '../api/coerce.ts';
import { listPages } from '../api/list.ts';
import { balanceTransactions, toItem } from '../streams/balance_transactions.ts';
import type { Page } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';

/** The ledger itself never says which payout a transaction is in, so it leaves the column unchanged. */
const paidOut = table({
  ...balanceTransactions,
  columns: { ...balanceTransactions.columns, payout_id: 'text' },
});

const target = { tables: [paidOut], stream: 'stripe.balance_transactions' };

const STREAM = 'stripe.payouts';
const CHECK = 'payout ';
/** The limit of failed payouts that one run checks again. */
const CHECKED_AGAIN_MAX = 100;
const COLUMNS = ['id', 'status', 'automatic', 'reconciliation_status', 'currency', 'amount', 'deleted_at'];

/** Where the contents are read: a run, or a page of one, which says whether it is a first load. */
type Place = Pick<StripeRun, 'stripe' | 'phase'>;

/** The pages of the payouts whose contents Stripe has fixed. */
export async function* contentsOfPayouts(place: Place, items: readonly Item[]): AsyncGenerator<Page> {
  for (const item of items) {
    const [payout] = item.rows['raw.stripe_payouts'] ?? [];
    if (payout && isSettled(payout)) yield* contentsOfPayout(place, payout);
  }
}

function isSettled({ automatic, status, reconciliation_status: reconciliation }: Row): boolean {
  return automatic === true && status === 'paid' && reconciliation === 'completed';
}

async function* contentsOfPayout(place: Place, payout: Row): AsyncGenerator<Page> {
  const id = String(payout.id);
  const currency = String(payout.currency);
  const unread: string[] = [];
  let sum = 0n;
  for await (const { objects, sentAt } of listPages(place.stripe, '/v1/balance_transactions', [
    ['payout', id],
  ])) {
    const items: Item[] = [];
    // The payout's own booking is listed too.
    for (const object of objects.filter((one) => refIfAny(one, 'source') !== id)) {
      const part = partOf(object, id, sentAt);
      if (part === undefined) unread.push(String(object.id));
      else {
        sum += part.net;
        items.push(part.item);
      }
    }
    yield { ...emptyPage(place), target, items };
  }
  const expected = shortest(String(payout.amount));
  const found = shortest(fromMinor(sum, placesOf(currency)));
  const check = { name: `${CHECK}${id}`, expected, found, ok: expected === found && unread.length === 0 };
  if (check.ok) return yield { ...emptyPage(place), checks: [check] };
  const without = unread.length > 0 ? `, without ${unread.length} invalid ones` : '';
  const cause = `payout ${id} is ${expected} ${currency}, its balance transactions sum to ${found}${without}`;
  yield withFailures({ ...emptyPage(place), checks: [{ ...check, cause }] });
}

/** Undefined for an invalid one, which the ledger itself quarantines. */
function partOf(object: Fields, payoutId: string, sentAt: Date): { net: bigint; item: Item } | undefined {
  try {
    const { id, changedAt, rows } = toItem(object, { sentAt });
    const [row = {}] = rows[paidOut.name] ?? [];
    const item = { id, changedAt, rows: { [paidOut.name]: [{ ...row, payout_id: payoutId }] } };
    pack(target, item); // throws if it cannot be stored
    return { net: BigInt(integer(object, 'net')), item };
  } catch (error) {
    if (!isUnfit(error)) throw error;
    return undefined;
  }
}

/** Payouts with a failed check. No event may report them again, so each run checks them itself. */
export async function* failedPayoutsAgain(run: StripeRun): AsyncGenerator<Page> {
  const failing = await failingChecks(run.context, STREAM);
  const failed = [...failing.keys()].filter((name) => name.startsWith(CHECK));
  const ids = failed.map((name) => name.slice(CHECK.length)).slice(0, CHECKED_AGAIN_MAX);
  const stored = await storedRows(run.context, 'raw.stripe_payouts', ids, COLUMNS);
  for (const id of ids) {
    const payout = stored.find((row) => row.id === id);
    if (payout && isSettled(payout) && payout.deleted_at === null) yield* contentsOfPayout(run, payout);
    else yield { ...emptyPage(run), checks: [overCheck(`${CHECK}${id}`, whyOver(payout))] };
  }
}

function whyOver(payout: Row | undefined): string {
  return payout ? `the payout is ${payout.status}` : 'the payout is not stored';
}
