/**
 * Balance transactions: the ledger of the account, in the currency of settlement. No event tells of
 * them, and nothing of one changes but its status, so the last days are listed again at each run.
 */
import { type Item, table } from '#sql/load/table.ts';
import { each, type Fields, integer, payloadOf, text } from '../../kit/fields.ts';
import { defineStream, type Page, type StreamContext } from '../../kit/stream.ts';
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
import { sourceChecks } from '../ledger/sources.ts';
import { backfill, OVERLAP_MS } from '../sync/backfill.ts';
import type { Collection, Seen } from '../sync/collection.ts';
import { reconcile } from '../sync/reconcile.ts';
import { resyncWindow } from '../sync/sync.ts';
import { checkpoint, contentsOf, emptyPage, openRun, type SyncRun } from '../sync/sync_run.ts';
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

async function* pages(context: StreamContext): AsyncGenerator<Page> {
  const run = openRun(context);
  if (context.window) {
    yield* resyncWindow(run, collection, context.window);
    return;
  }
  const { load, changesTo } = run.position;
  const isLoaded = context.full || load !== undefined || changesTo === undefined;
  if (isLoaded) {
    run.phase = 'first_load';
    if (!(yield* backfill(run, collection))) return;
    run.phase = 'changes';
  }
  yield* balancePages(run, (isFirst) => listAgain(run, isFirst));
  if (context.reconcile && !isLoaded) yield* reconcile(run, collection);
  yield await sourceChecks(run);
}

/** What is new, and at first also what may have become available since. */
async function* listAgain(run: SyncRun, isFirst: boolean): AsyncGenerator<Page> {
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

/** Some become available only after weeks, or months: until they are due nothing of them changes. */
async function oldestDue({ context }: SyncRun): Promise<number | undefined> {
  const { brandId, id } = context.connection;
  const { rows } = await context.db.query<{ oldest: Date | null }>(
    `select min(created_at) as oldest
     from (
       select created_at from raw.stripe_balance_transactions
       where brand_id = $1 and connection_id = $2 and status = 'pending' and deleted_at is null and available_on <= $3
       order by available_on
     ) due`,
    [brandId, id, context.now()],
  );
  const oldest = rows[0]?.oldest;
  return oldest ? secondOf(oldest) : undefined;
}

export const balanceTransactionsStream = defineStream({
  name: 'stripe.balance_transactions',
  provider: 'stripe',
  scopes: ['rak_balance_transaction_source_read'],
  scopesOptional: ['rak_balance_read'],
  ...collection.target,
  pages,
});
