/** Payouts to the bank. One that was paid may still fail days later. */
import { type Item, table } from '#sql/load/table.ts';
import { type Fields, flag, payloadOf, text } from '../../kit/fields.ts';
import { defineStream, type StreamContext } from '../../kit/stream.ts';
import { currencyOf, instantAt, money, refIfAny, textIfAny } from '../api/coerce.ts';
import { contentsOfPayouts, failedPayoutsAgain } from '../ledger/payout_contents.ts';
import type { Collection, Page, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';
import { openRun } from '../sync/sync_run.ts';

export const payouts = table({
  name: 'raw.stripe_payouts',
  key: ['id'],
  observed: true, // without days: what left the balance, and when, is in the balance transactions
  columns: {
    id: 'text',
    status: 'text',
    currency: 'text',
    amount: 'numeric',
    automatic: 'boolean',
    arrival_date: 'timestamptz',
    balance_transaction_id: 'text',
    failure_balance_transaction_id: 'text',
    failure_code: 'text',
    reconciliation_status: 'text',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const TYPES = ['created', 'updated', 'paid', 'failed', 'canceled', 'reconciliation_completed'];

const collection: Collection = {
  name: 'payouts',
  object: 'payout',
  target: { tables: [payouts] },
  events: TYPES.map((type) => `payout.${type}`),
  toItem,
};

function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const row = {
    id,
    status: text(object, 'status'),
    currency,
    amount: money(object, 'amount', currency),
    automatic: flag(object, 'automatic'),
    arrival_date: instantAt(object, 'arrival_date'),
    balance_transaction_id: refIfAny(object, 'balance_transaction'),
    failure_balance_transaction_id: refIfAny(object, 'failure_balance_transaction'),
    failure_code: textIfAny(object, 'failure_code'),
    reconciliation_status: textIfAny(object, 'reconciliation_status'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, NOTHING),
  };
  return { id, changedAt: sentAt, rows: { [payouts.name]: [row] } };
}

const NOTHING: ReadonlySet<string> = new Set();

/** Before a page moves the position, what its payouts contain is stored and checked. */
async function* pages(context: StreamContext): AsyncGenerator<Page> {
  const run = openRun(context);
  for await (const page of collectionPages(context, collection)) {
    yield* contentsOfPayouts(run, page.items);
    yield page;
  }
  yield* failedPayoutsAgain(run); // at last, when their state is the newest
}

export const payoutsStream = defineStream({
  name: 'stripe.payouts',
  provider: 'stripe',
  scopes: ['rak_payout_read', 'rak_balance_transaction_source_read', 'rak_event_read'],
  ...collection.target,
  pages,
});
