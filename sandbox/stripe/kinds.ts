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
  range,
  subscriptionStatus,
} from './filters.ts';

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

const list: Kind[] = [
  kind('balance_transactions', 'balance_transaction', 'balance_transaction_source', {
    currency: equal('currency'),
    payout: equal('payout'),
    source: equal('source'),
    type: equal('type'),
  }),
  kind('charges', 'charge', 'charge', {
    customer: equal('customer'),
    payment_intent: equal('payment_intent'),
    transfer_group: equal('transfer_group'),
  }),
  kind('refunds', 'refund', 'charge', {
    charge: equal('charge'),
    payment_intent: equal('payment_intent'),
  }),
  kind('disputes', 'dispute', 'dispute', {
    charge: equal('charge'),
    payment_intent: equal('payment_intent'),
  }),
  kind('payment_intents', 'payment_intent', 'payment_intent', {
    customer: equal('customer'),
    customer_account: equal('customer_account'),
  }),
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
      type: equal('type'),
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
      currency: equal('currency'),
      product: equal('product'),
      type: equal('type'),
      lookup_keys: anyOf('lookup_key', 10),
      recurring: fieldsOf('recurring', ['interval', 'meter', 'usage_type']),
    },
    LASTING,
  ),
  kind('subscriptions', 'subscription', 'subscription', {
    status: subscriptionStatus,
    customer: equal('customer'),
    price: anItem('price.id', equal),
    plan: anItem('plan.id', equal),
    collection_method: equal('collection_method'),
    current_period_start: anItem('current_period_start', range),
    current_period_end: anItem('current_period_end', range),
    test_clock: equal('test_clock'),
  }),
  kind('invoices', 'invoice', 'invoice', {
    status: equal('status'),
    customer: equal('customer'),
    subscription: equal('parent.subscription_details.subscription'),
    collection_method: equal('collection_method'),
    due_date: range('due_date'),
  }),
  kind('invoice_payments', 'invoice_payment', 'invoice', {
    invoice: equal('invoice'),
    payment: fieldsOf('payment', ['type', 'payment_intent', 'payment_record']),
    status: equal('status'),
  }),
  kind('credit_notes', 'credit_note', 'credit_note', {
    customer: equal('customer'),
    invoice: equal('invoice'),
  }),
  kind('payouts', 'payout', 'payout', {
    arrival_date: range('arrival_date'),
    destination: equal('destination'),
    status: equal('status'),
  }),
  kind('coupons', 'coupon', 'coupon', {}, LASTING),
  kind('promotion_codes', 'promotion_code', 'promotion_code', {
    active: flag('active'),
    code: equal('code'),
    coupon: equal('promotion.coupon'),
    customer: equal('customer'),
  }),
  kind('events', 'event', 'event', {
    type: eventType,
    types: anyOf('type', 20),
    delivery_success: deliverySuccess,
  }),
];

export const KINDS: ReadonlyMap<string, Kind> = new Map(list.map((one) => [one.name, one]));
