/**
 * Balance transactions: the ledger of the account, in the currency of settlement. No event tells of
 * them, and nothing of one changes but its status, so the last days are listed again at each run.
 */
import { type Item, table } from '#sql/load/table.ts';
import { each, type Fields, integer, payloadOf, text } from '../../kit/fields.ts';
import { defineStream } from '../../kit/stream.ts';
import type { SyncSteps } from '../../kit/sync.ts';
import { checkpoint, emptyPage } from '../../kit/sync_run.ts';
import {
  currencyOf,
  inMajor,
  instantAt,
  isNothing,
  money,
  numberIfAny,
  refIfAny,
  textIfAny,
} from '../api/coerce.ts';
import { balancePages } from '../ledger/balance.ts';
import { oldestDue } from '../ledger/pending.ts';
import { sourceChecks } from '../ledger/sources.ts';
import { backfill, OVERLAP_MS } from '../sync/backfill.ts';
import type { Collection, Page, Seen } from '../sync/collection.ts';
import { collectionPages } from '../sync/sync.ts';
import { contentsOf, type StripeRun } from '../sync/sync_run.ts';
import { secondOf } from '../sync/sync_state.ts';

export const balanceTransactions = table({
  name: 'raw.stripe_balance_transactions',
  indexed: ['balance_type', 'currency'],
  key: ['id'],
  digested: true,
  observed: true,
  days: { created_at: 'payments' },
  columns: {
    id: 'text',
    type: 'text',
    reporting_category: 'text',
    balance_type: 'text',
    status: 'text',
    source_id: 'text',
    currency: 'text',
    amount: 'numeric',
    fee: 'numeric',
    application_fee: 'numeric',
    net: 'numeric',
    exchange_rate: 'numeric',
    available_on: 'timestamptz',
    created_at: 'timestamptz',
    payload: 'jsonb',
  },
});

const LISTED_AGAIN_MS = 14 * 24 * 60 * 60_000;

const collection: Collection = {
  name: 'balance_transactions',
  object: 'balance_transaction',
  target: { tables: [balanceTransactions] },
  events: [],
  toItem,
};

export function toItem(object: Fields, { sentAt }: Seen): Item {
  const id = text(object, 'id');
  const currency = currencyOf(object);
  const row = {
    id,
    type: text(object, 'type'),
    reporting_category: text(object, 'reporting_category'),
    balance_type: textIfAny(object, 'balance_type') ?? 'payments',
    status: text(object, 'status'),
    source_id: refIfAny(object, 'source'),
    currency,
    amount: money(object, 'amount', currency),
    fee: money(object, 'fee', currency),
    application_fee: applicationFee(object, currency),
    net: money(object, 'net', currency),
    exchange_rate: numberIfAny(object, 'exchange_rate'),
    available_on: instantAt(object, 'available_on'),
    created_at: instantAt(object, 'created'),
    payload: payloadOf(object, LEFT_OUT),
  };
  return { id, changedAt: sentAt, rows: { [balanceTransactions.name]: [row] } };
}

/** The part of the fee that the platform of a connected account takes. https://docs.stripe.com/api/balance_transactions/object */
function applicationFee(object: Fields, currency: string): string {
  if (isNothing(object.fee_details)) return '0';
  const parts = each(object, 'fee_details', (detail) =>
    detail.type === 'application_fee' ? BigInt(integer(detail, 'amount')) : 0n,
  );
  return inMajor(
    parts.reduce((sum, minor) => sum + minor, 0n),
    currency,
  );
}

const LEFT_OUT = new Set(['source']);

/** What is new, and at first also what may have become available since. */
async function* listAgain(run: StripeRun, isFirst: boolean): AsyncGenerator<Page> {
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

/** No event tells of it, so its changes are listed; at the end the other streams are held against it. */
function ledgerSteps(run: StripeRun): Partial<SyncSteps<Page>> {
  const { load, changesTo } = run.position;
  const isBackfillDue = run.context.full || load !== undefined || changesTo === undefined;
  return {
    backfill: isBackfillDue ? () => backfill(run, collection) : undefined,
    increment: () => balancePages(run, (isFirst) => listAgain(run, isFirst)),
    async *verify() {
      yield await sourceChecks(run);
    },
  };
}

export const balanceTransactionsStream = defineStream({
  name: 'stripe.balance_transactions',
  provider: 'stripe',
  scopes: ['rak_balance_transaction_source_read'],
  scopesOptional: ['rak_balance_read'],
  ...collection.target,
  pages: (context) => collectionPages(context, collection, ledgerSteps),
});
