/**
 * Balance transactions: the ledger of the account, in the currency of settlement. No event tells of
 * them, and nothing of one changes but its status, so the last days are listed again at each run.
 */
import { column, rest } from '../../kit/columns.ts';
import { each, type Fields, integer } from '../../kit/fields.ts';
import type { SyncSteps } from '../../kit/sync.ts';
import { checkpoint, emptyPage } from '../../kit/sync_run.ts';
import { currencyOf, inMajor, isNothing, textIfAny as readText } from '../api/coerce.ts';
import { currency, instant, money, numberIfAny, refIfAny, text } from '../api/columns.ts';
import { balancePages } from '../ledger/balance.ts';
import { oldestDue } from '../ledger/pending.ts';
import { sourceChecks } from '../ledger/sources.ts';
import { stripeStream } from '../stream.ts';
import { backfill, OVERLAP_MS } from '../sync/backfill.ts';
import type { Collection, Page } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';
import { contentsOf, type StripeRun } from '../sync/sync_run.ts';
import { secondOf } from '../sync/sync_state.ts';

const LISTED_AGAIN_MS = 14 * 24 * 60 * 60_000;

export const balanceTransactionsStream = stripeStream({
  name: 'balance_transactions',
  object: 'balance_transaction',
  scopes: ['rak_balance_transaction_source_read'],
  feeds: ['payments'],
  scopesOptional: ['rak_balance_read'],
  digested: true,
  events: [],
  pages: (context, collection) => collectionPages(context, collection, (run) => ledgerSteps(run, collection)),
  columns: {
    type: text('type'),
    reporting_category: text('reporting_category'),
    balance_type: column('text', (booking) => readText(booking, 'balance_type') ?? 'payments', {
      indexed: true,
    }),
    status: text('status'),
    source_id: refIfAny('source'),
    currency: currency('currency', { indexed: true }),
    amount: money('amount'),
    fee: money('fee'),
    application_fee: column('numeric', applicationFee),
    net: money('net'),
    exchange_rate: numberIfAny('exchange_rate'),
    available_on: instant('available_on'),
    created_at: instant('created', { marks: 'payments' }),
    payload: rest(new Set(['source'])),
  },
});

export const { table: balanceTransactions, toItem } = balanceTransactionsStream;

/** The part of the fee that the platform of a connected account takes. https://docs.stripe.com/api/balance_transactions/object */
function applicationFee(object: Fields): string {
  if (isNothing(object.fee_details)) return '0';
  const parts = each(object, 'fee_details', (detail) =>
    detail.type === 'application_fee' ? BigInt(integer(detail, 'amount')) : 0n,
  );
  return inMajor(
    parts.reduce((sum, minor) => sum + minor, 0n),
    currencyOf(object),
  );
}

/** No event tells of it, so its changes are listed; at the end the other streams are held against it. */
function ledgerSteps(run: StripeRun, collection: Collection): Partial<SyncSteps<Page>> {
  const { load, changesTo } = run.position;
  const isBackfillDue = run.context.full || load !== undefined || changesTo === undefined;
  return {
    backfill: isBackfillDue ? () => backfill(run, collection) : undefined,
    increment: () => balancePages(run, (isFirst) => listAgain(run, collection, isFirst)),
    async *verify() {
      yield await sourceChecks(run);
    },
  };
}

/** What is new, and at first also what may have become available since. */
async function* listAgain(run: StripeRun, collection: Collection, isFirst: boolean): AsyncGenerator<Page> {
  const now = run.context.now();
  const { changesTo = now } = run.position;
  const due = isFirst ? await oldestDue(run) : undefined;
  const back = isFirst ? LISTED_AGAIN_MS : OVERLAP_MS;
  const since = Math.min(changesTo.getTime(), now.getTime()) - back;
  const from = Math.min(secondOf(new Date(since)), due ?? Number.POSITIVE_INFINITY);
  // Stripe's clock may be ahead of ours.
  const before = secondOf(new Date(now.getTime() + OVERLAP_MS));
  for await (const { content } of contentsOf(run, collection, [{ from, before }])) {
    yield { ...emptyPage(run), ...content };
  }
  yield checkpoint(run, { changesTo: now });
}
