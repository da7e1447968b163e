/** What an object is when its line does not say: the values that follow from those that it gives. */
import type { StripeObject } from '../objects.ts';
import { completeBySchema } from '../schema.ts';
import { completeBilling } from './billing.ts';
import type { Given } from './given.ts';
import { completeMoney } from './money.ts';

// Long before anything that a scenario is about.
const CATALOGUE_CREATED = 1_577_836_800;

/** Fields without which an object of a kind means nothing. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  balance_transactions: ['amount', 'currency', 'created'],
  charges: ['amount', 'currency', 'created'],
  refunds: ['amount', 'currency', 'created'],
  disputes: ['amount', 'currency', 'created', 'charge'],
  payment_intents: ['amount', 'currency', 'created'],
  prices: ['currency', 'product'],
  subscriptions: ['customer', 'created', 'items'],
  invoices: ['currency', 'created', 'customer'],
  invoice_payments: ['invoice', 'created'],
  credit_notes: ['invoice', 'created', 'amount', 'currency'],
  payouts: ['amount', 'currency', 'created'],
  promotion_codes: ['code', 'promotion'],
  events: ['type', 'created', 'data'],
  discounts: ['source', 'start'],
};
const WITHOUT_MODE = new Set(['balance_transactions', 'discounts', 'refunds']);

/** The whole object of one line: own fields of the sandbox (`_at` …) are gone, all others are there. */
export function complete(kind: string, objectName: string, given: Given): StripeObject {
  const { object, place, context } = given;
  if (object.object !== undefined && object.object !== objectName) {
    place.below('object').fail(`must be "${objectName}"`);
  }
  if (object.deleted === true) return { id: object.id, object: objectName, deleted: true };
  for (const field of NEEDED[kind] ?? []) {
    if (object[field] === undefined) place.fail(`"${field}" is missing`);
  }
  const own = Object.entries(object).filter(([field]) => !field.startsWith('_'));
  const plain: StripeObject = {
    ...(WITHOUT_MODE.has(kind) ? {} : { livemode: context.livemode }),
    created: CATALOGUE_CREATED,
    ...Object.fromEntries(own),
  };
  if (kind === 'discounts') delete plain.created;
  const filled = { ...given, object: plain };
  const more = completeMoney(kind, filled) ?? completeBilling(kind, filled) ?? {};
  const full = completeBySchema({ ...plain, ...more }, objectName, place, context.doubt);
  // A transaction whose status is not given turns from pending to available by itself.
  if (kind === 'balance_transactions' && plain.status === undefined) delete full.status;
  return full;
}
