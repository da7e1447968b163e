/** Events for a scenario that gives none: one for each state that an object of it takes on. */

import type { Source, StripeObject } from '../objects.ts';
import { type Row, rowSource } from '../rows.ts';
import { eventObject } from './event_object.ts';
import type { Version } from './versions.ts';

type Naming = (now: StripeObject, before: StripeObject | undefined) => string | undefined;

/** `kinds`: the objects of each kind with their versions. */
export function deriveEvents(
  kinds: Iterable<[kind: string, objects: Iterable<readonly Version[]>]>,
  livemode: boolean,
): Source {
  const rows: Row[] = [];
  for (const [kind, objects] of kinds) {
    const name = NAMES[kind];
    if (!name) continue;
    for (const versions of objects) rows.push(...eventsOf(versions, name, livemode));
  }
  return rowSource(rows);
}

function eventsOf(versions: readonly Version[], name: Naming, livemode: boolean): Row[] {
  return versions.flatMap(({ at, object }, index) => {
    // States of one and the same second: only the last of them was ever there to be seen.
    if (versions[index + 1]?.at === at) return [];
    const before = versions[index - 1]?.object;
    const type = name(object, before);
    if (type === undefined) return [];
    const id = `evt_${String(object.id)}_${index + 1}`;
    const shown = object.deleted === true ? { ...before, deleted: true } : object;
    return [
      { id, created: at, at: () => eventObject({ id, type, created: at, object: shown, before, livemode }) },
    ];
  });
}

/** `…created`, `…updated`, `…deleted`. */
function plain(prefix: string): Naming {
  return (object, before) => {
    if (object.deleted === true) return `${prefix}.deleted`;
    return before ? `${prefix}.updated` : `${prefix}.created`;
  };
}

/** An own name for each status that an object comes into, else as `plain` says. */
function byStatus(prefix: string, names: Readonly<Record<string, string>>, onCreate = false): Naming {
  const otherwise = plain(prefix);
  return (object, before) => {
    const name = names[String(object.status)];
    const turned = before ? before.status !== object.status : onCreate;
    return name !== undefined && turned ? `${prefix}.${name}` : otherwise(object, before);
  };
}

const charge: Naming = (object, before) => {
  if (!before || before.status !== object.status) return `charge.${String(object.status)}`;
  if (before.amount_refunded !== object.amount_refunded) return 'charge.refunded';
  return before.captured === object.captured ? 'charge.updated' : 'charge.captured';
};

const INTENT_NAMES: Readonly<Record<string, string>> = {
  requires_capture: 'amount_capturable_updated',
  requires_payment_method: 'payment_failed',
};

const paymentIntent: Naming = ({ status }, before) => {
  if (!before) return 'payment_intent.created';
  return `payment_intent.${INTENT_NAMES[String(status)] ?? String(status)}`;
};

const CLOSED = { won: 'closed', lost: 'closed', warning_closed: 'closed' };

const NAMES: Readonly<Record<string, Naming>> = {
  charges: charge,
  refunds: byStatus('refund', { failed: 'failed' }),
  disputes: byStatus('charge.dispute', CLOSED),
  payment_intents: paymentIntent,
  customers: plain('customer'),
  products: plain('product'),
  prices: plain('price'),
  coupons: plain('coupon'),
  promotion_codes: plain('promotion_code'),
  subscriptions: byStatus('customer.subscription', { canceled: 'deleted', paused: 'paused' }),
  invoices: byStatus('invoice', {
    open: 'finalized',
    paid: 'paid',
    void: 'voided',
    uncollectible: 'marked_uncollectible',
  }),
  invoice_payments: (object) => (object.status === 'paid' ? 'invoice_payment.paid' : undefined),
  credit_notes: byStatus('credit_note', { void: 'voided' }),
  payouts: byStatus('payout', { paid: 'paid', failed: 'failed', canceled: 'canceled' }),
};
