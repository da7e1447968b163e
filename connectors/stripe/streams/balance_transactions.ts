/**
 * Balance transactions: the ledger of the account, in the currency of settlement. No event reports them, and only
 * their status ever changes.
 */
import { column, rest } from '../../kit/columns.ts';
import { each, type Fields, integer } from '../../kit/fields.ts';
import { currencyOf, inMajor, isNothing, textIfAny as readText } from '../api/coerce.ts';
import { currency, instant, money, numberIfAny, refIfAny, text } from '../api/columns.ts';
import { ledgerNeedsBackfill, ledgerSteps } from '../ledger/ledger_steps.ts';
import { stripeStream } from '../stream.ts';
import { collectionPages } from '../sync/sync.ts';

/** Events of objects that book nothing themselves: a payment always has a charge, which has events of its own. */
const UNBOOKED = [
  'account.', 'billing', 'capability.', 'checkout.', 'coupon.', 'customer.', 'entitlements.', 'file.', 'identity.',
  'invoice.', 'invoice_payment.', 'invoiceitem.', 'mandate.', 'payment_intent.', 'payment_link.', 'payment_method.',
  'person.', 'plan.', 'price.', 'product.', 'promotion_code.', 'quote.', 'radar.', 'reporting.', 'review.',
  'setup_intent.', 'subscription_schedule.', 'tax.', 'tax_rate.', 'test_helpers.',
]; // biome-ignore format: a list of names

export const balanceTransactionsStream = stripeStream({
  name: 'balance_transactions',
  object: 'balance_transaction',
  personal: {
    through: {
      column: 'source_id',
      tables: ['raw.stripe_charges', 'raw.stripe_refunds', 'raw.stripe_disputes'],
    },
  },
  scopes: ['rak_balance_transaction_source_read'],
  feeds: ['payments'],
  scopesOptional: ['rak_balance_read'],
  digested: true,
  events: [],
  movedBy: (type) => !UNBOOKED.some((prefix) => type.startsWith(prefix)),
  needsBackfill: ledgerNeedsBackfill,
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

/**
 * The part of the fee that the platform of a connected account takes.
 * https://docs.stripe.com/api/balance_transactions/object
 */
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
