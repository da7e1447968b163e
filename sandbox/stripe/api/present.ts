/** Objects as one request gets them: what it expands is put in, long lists in them are cut. */
import type { StripeObject } from '../objects.ts';
import { StripeError } from './stripe_error.ts';

const EXPAND_LEVELS_MAX = 4;
const EMBEDDED_MAX = 10;

export type Tree = Map<string, Tree>;
export const NO_TREE: Tree = new Map();

export type Lookup = {
  /** An object by kind and id, as of the request's instant; throws where the key may not read the kind. */
  find: (kind: string, id: string) => StripeObject | undefined;
  /** The newest objects of a kind that name another one. */
  naming: (kind: string, field: string, id: string) => { data: StripeObject[]; hasMore: boolean };
};

/** Where fields that hold an id lead to. */
const REFERENCES: Readonly<Record<string, readonly string[]>> = {
  balance_transaction: ['balance_transactions'],
  charge: ['charges'],
  coupon: ['coupons'],
  customer: ['customers'],
  dispute: ['disputes'],
  default_price: ['prices'],
  discount: ['discounts'],
  discounts: ['discounts'],
  failure_balance_transaction: ['balance_transactions'],
  invoice: ['invoices'],
  latest_charge: ['charges'],
  latest_invoice: ['invoices'],
  latest_revision: ['invoices'],
  original_payout: ['payouts'],
  payment_intent: ['payment_intents'],
  price: ['prices'],
  product: ['products'],
  promotion_code: ['promotion_codes'],
  refund: ['refunds'],
  reversed_by: ['payouts'],
  source: ['charges', 'refunds', 'payouts', 'disputes'],
  subscription: ['subscriptions'],
  // Stripe expands these too; the sandbox has no such objects, so their ids stay.
  application: [],
  application_fee: [],
  default_payment_method: [],
  default_source: [],
  destination: [],
  on_behalf_of: [],
  payment_method: [],
  payment_record: [],
  review: [],
  schedule: [],
  source_transfer: [],
  test_clock: [],
  transfer: [],
};

/** Fields that are there only when they are asked for. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  charge: ['refunds'],
  coupon: ['applies_to', 'currency_options'],
  customer: ['subscriptions', 'sources', 'tax_ids', 'cash_balance'],
  invoice: ['payments'],
  plan: ['tiers'],
  price: ['tiers', 'currency_options'],
};

/** Lists that are made of other objects when they are asked for: their kind, and the field that names the owner. */
export const COMPOSED: Readonly<
  Record<string, { kind: string; field: string; url: (id: string) => string }>
> = {
  'charge.refunds': { kind: 'refunds', field: 'charge', url: (id) => `/v1/charges/${id}/refunds` },
  'customer.subscriptions': {
    kind: 'subscriptions',
    field: 'customer',
    url: (id) => `/v1/customers/${id}/subscriptions`,
  },
  'invoice.payments': {
    kind: 'invoice_payments',
    field: 'invoice',
    url: (id) => `/v1/invoice_payments?invoice=${id}`,
  },
};

/** Objects without anything to cut or to leave out: served as they are unless something is expanded. */
const FLAT = new Set(['balance_transaction', 'refund', 'payout', 'dispute', 'payment_intent', 'product']);

export function readExpand(paths: unknown): Tree {
  const tree: Tree = new Map();
  if (paths === undefined) return tree;
  if (!Array.isArray(paths)) throw new StripeError(400, 'Invalid array', { param: 'expand' });
  for (const path of paths.map(String)) {
    const steps = path.split('.');
    if (steps.length > EXPAND_LEVELS_MAX) {
      const message = `You cannot expand more than ${EXPAND_LEVELS_MAX} levels of a property: ${path}`;
      throw new StripeError(400, message, { code: 'property_expansion_max_depth', param: 'expand' });
    }
    let level = tree;
    for (const step of steps) {
      const next: Tree = level.get(step) ?? new Map();
      level.set(step, next);
      level = next;
    }
  }
  return tree;
}

export function present(object: StripeObject, tree: Tree, lookup: Lookup): StripeObject {
  const type = String(object.object ?? '');
  if (tree.size === 0 && FLAT.has(type)) return object;
  const hidden = OPTIONAL[type] ?? [];
  const shown: StripeObject = {};
  for (const [field, value] of Object.entries(object)) {
    const below = tree.get(field);
    if (below === undefined && hidden.includes(field)) continue;
    shown[field] = below ? expanded(field, value, below, lookup) : presentValue(value, NO_TREE, lookup);
  }
  for (const [field, below] of tree) {
    if (field in shown) continue;
    shown[field] = composed(object, type, field, below, lookup);
  }
  return shown;
}

function presentValue(value: unknown, tree: Tree, lookup: Lookup): unknown {
  if (Array.isArray(value)) return value.map((item) => presentValue(item, tree, lookup));
  if (typeof value !== 'object' || value === null) return value;
  const object = value as StripeObject;
  return present(object.object === 'list' ? cut(object) : object, tree, lookup);
}

/** A field that is asked for: its id becomes the object. */
function expanded(field: string, value: unknown, tree: Tree, lookup: Lookup): unknown {
  if (Array.isArray(value)) return value.map((item) => expanded(field, item, tree, lookup));
  if (typeof value !== 'string') {
    if (value !== null && typeof value !== 'object') throw cannotExpand(field);
    return presentValue(value, tree, lookup);
  }
  const kinds = REFERENCES[field];
  if (!kinds) throw cannotExpand(field);
  for (const kind of kinds) {
    const found = lookup.find(kind, value);
    if (found) return present(found, tree, lookup);
  }
  return value;
}

function composed(object: StripeObject, type: string, field: string, tree: Tree, lookup: Lookup): unknown {
  if (OPTIONAL[type]?.includes(field) !== true) throw cannotExpand(field);
  const list = COMPOSED[`${type}.${field}`];
  if (!list) return undefined;
  const id = String(object.id);
  const { data, hasMore } = lookup.naming(list.kind, list.field, id);
  return present({ object: 'list', data, has_more: hasMore, url: list.url(id) }, tree, lookup);
}

function cut(list: StripeObject): StripeObject {
  const data = Array.isArray(list.data) ? list.data : [];
  if (data.length <= EMBEDDED_MAX) return list;
  return { ...list, data: data.slice(0, EMBEDDED_MAX), has_more: true };
}

function cannotExpand(field: string): StripeError {
  return new StripeError(400, `This property cannot be expanded (${field}).`, { param: 'expand' });
}
