/** The kinds of objects that have lists: their filters and the permission that reads them. */
import {
  anItem,
  anyOf,
  deliverySuccess,
  equal,
  eventType,
  type Filter,
  fieldsOf,
  flag,
  ofCurrency,
  oneOf,
  range,
  subscriptionStatus,
} from './api/filters.ts';
import { knownValues } from './schema.ts';

export type Kind = {
  /** As in the path. */
  name: string;
  /** As in `object`. */
  object: string;
  /** What a restricted key needs, as Stripe names it in its refusal. */
  permission: string;
  filters: Readonly<Record<string, Filter>>;
  /** A deleted one still answers, with `deleted: true`. */
  leavesTombstone?: true;
};

const kind = (
  name: string,
  object: string,
  permission: string,
  filters: Record<string, Filter>,
  more: Partial<Kind> = {},
): Kind => ({ name, object, permission: `rak_${permission}_read`, filters, ...more });

const LASTING = { leavesTombstone: true } as const;

const ofCustomer = { customer: equal('customer', 'customers'), customer_account: equal('customer_account') };
const COLLECTION_METHODS = ['charge_automatically', 'send_invoice'];

const list: Kind[] = [
  kind('balance_transactions', 'balance_transaction', 'balance_transaction_source', {
    currency: ofCurrency,
    payout: equal('payout', 'payouts'),
    source: equal('source'),
    type: oneOf('type', knownValues('balance_transaction', 'type')),
  }),
  kind('charges', 'charge', 'charge', {
    customer: equal('customer', 'customers'),
    payment_intent: equal('payment_intent', 'payment_intents'),
    transfer_group: equal('transfer_group'),
  }),
  kind('refunds', 'refund', 'charge', {
    charge: equal('charge', 'charges'),
    payment_intent: equal('payment_intent', 'payment_intents'),
  }),
  kind('disputes', 'dispute', 'dispute', {
    charge: equal('charge', 'charges'),
    payment_intent: equal('payment_intent', 'payment_intents'),
  }),
  kind('payment_intents', 'payment_intent', 'payment_intent', ofCustomer),
  kind(
    'customers',
    'customer',
    'customer',
    { email: equal('email'), test_clock: equal('test_clock') },
    LASTING,
  ),
  kind(
    'products',
    'product',
    'product',
    {
      active: flag('active'),
      ids: anyOf('id'),
      type: oneOf('type', ['good', 'service']),
      url: equal('url'),
      shippable: flag('shippable'),
    },
    LASTING,
  ),
  kind(
    'prices',
    'price',
    'plan',
    {
      active: flag('active'),
      currency: ofCurrency,
      product: equal('product', 'products'),
      type: oneOf('type', ['recurring', 'one_time']),
      lookup_keys: anyOf('lookup_key', 10),
      recurring: fieldsOf('recurring', {
        interval: ['month', 'day', 'week', 'year'],
        meter: undefined,
        usage_type: ['licensed', 'metered'],
      }),
    },
    LASTING,
  ),
  kind('subscriptions', 'subscription', 'subscription', {
    ...ofCustomer,
    status: subscriptionStatus,
    price: anItem(equal('price.id', 'prices')),
    plan: anItem(equal('plan.id', 'prices')),
    automatic_tax: fieldsOf('automatic_tax', { enabled: ['true', 'false'] }),
    collection_method: oneOf('collection_method', COLLECTION_METHODS),
    current_period_start: anItem(range('current_period_start')),
    current_period_end: anItem(range('current_period_end')),
    test_clock: equal('test_clock'),
  }),
  kind('invoices', 'invoice', 'invoice', {
    ...ofCustomer,
    status: oneOf('status', ['void', 'draft', 'open', 'paid', 'uncollectible']),
    subscription: equal('parent.subscription_details.subscription', 'subscriptions'),
    collection_method: oneOf('collection_method', COLLECTION_METHODS),
    due_date: range('due_date'),
  }),
  kind('invoice_payments', 'invoice_payment', 'invoice', {
    invoice: equal('invoice', 'invoices'),
    payment: fieldsOf('payment', {
      type: ['payment_intent', 'payment_record'],
      payment_intent: undefined,
      payment_record: undefined,
    }),
    status: oneOf('status', ['canceled', 'open', 'paid']),
  }),
  kind('credit_notes', 'credit_note', 'credit_note', {
    ...ofCustomer,
    invoice: equal('invoice', 'invoices'),
  }),
  kind('payouts', 'payout', 'payout', {
    arrival_date: range('arrival_date'),
    destination: equal('destination'),
    status: oneOf('status', ['pending', 'in_transit', 'paid', 'failed', 'canceled']),
  }),
  kind('coupons', 'coupon', 'coupon', {}, LASTING),
  kind('promotion_codes', 'promotion_code', 'promotion_code', {
    ...ofCustomer,
    active: flag('active'),
    code: equal('code'),
    coupon: equal('promotion.coupon', 'coupons'),
  }),
  kind('events', 'event', 'event', {
    type: eventType,
    types: anyOf('type', 20),
    delivery_success: deliverySuccess,
  }),
];

export const KINDS: ReadonlyMap<string, Kind> = new Map(list.map((one) => [one.name, one]));
