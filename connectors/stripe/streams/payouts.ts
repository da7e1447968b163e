/** Payouts to the bank. A paid one may still fail days later. */
import type { StreamContext } from '../../kit/stream.ts';
import { currency, flag, instant, money, refIfAny, text, textIfAny } from '../api/columns.ts';
import { contentsOfPayouts, failedPayoutsAgain } from '../ledger/payout_contents.ts';
import { stripeStream } from '../stream.ts';
import type { Collection, Page } from '../sync/collection.ts';
import { collectionPages, fetchPages } from '../sync/sync.ts';
import { openRun, type StripeRun } from '../sync/sync_run.ts';

const TYPES = ['created', 'updated', 'paid', 'failed', 'canceled', 'reconciliation_completed'];

export const payoutsStream = stripeStream({
  name: 'payouts',
  object: 'payout',
  personal: null,
  scopes: ['rak_payout_read', 'rak_balance_transaction_source_read', 'rak_event_read'],
  feeds: ['payments'],
  events: TYPES.map((type) => `payout.${type}`),
  pages: payoutPages,
  fetch: fetchPayouts,
  // No day is marked: the balance transactions say what left the balance, and when.
  columns: {
    status: text('status'),
    currency: currency('currency'),
    amount: money('amount'),
    automatic: flag('automatic'),
    arrival_date: instant('arrival_date'),
    balance_transaction_id: refIfAny('balance_transaction'),
    failure_balance_transaction_id: refIfAny('failure_balance_transaction'),
    failure_code: textIfAny('failure_code'),
    reconciliation_status: textIfAny('reconciliation_status'),
    created_at: instant('created'),
  },
});

async function* payoutPages(context: StreamContext, collection: Collection): AsyncGenerator<Page> {
  const run = openRun(context);
  yield* withContents(run, collectionPages(context, collection));
  yield* failedPayoutsAgain(run); // last, when their state is the newest
}

function fetchPayouts(context: StreamContext, collection: Collection, ids: readonly string[]) {
  return withContents(openRun(context), fetchPages(context, collection, ids));
}

/** The contents of a page's payouts are stored and checked before the page moves the position. */
async function* withContents(run: StripeRun, pages: AsyncIterable<Page>): AsyncGenerator<Page> {
  for await (const page of pages) {
    yield* contentsOfPayouts({ stripe: run.stripe, phase: page.phase }, page.items);
    yield page;
  }
}
