/** What happened to the built-in money: each change as an event with the object as it was then. */

import { EVENTS_KEPT_SECONDS } from '../api/list.ts';
import { eventObject } from '../history/event_object.ts';
import type { Source, StripeObject } from '../objects.ts';
import { type Row, rowSource } from '../rows.ts';
import type { Charge, Money, Payout, Refund } from './money.ts';
import { chargeObject, payoutObject, refundObject } from './rows.ts';

const DAY_SECONDS = 86_400;

type Happening = { type: string; created: number; object: (created: number) => StripeObject };

/** Only those of the last weeks: Stripe forgets older ones too. */
export function giftwareEvents(money: Money): Source {
  const last = money.transactions.reduce((latest, { created }) => Math.max(latest, created), 0);
  const happenings = [
    ...money.charges.flatMap(ofCharge),
    ...money.refunds.map(ofRefund),
    ...money.payouts.flatMap(ofPayout),
  ].filter(({ created }) => created > last - EVENTS_KEPT_SECONDS);
  return rowSource(happenings.map(eventRow));
}

function ofCharge(charge: Charge): Happening[] {
  const object = (created: number) => chargeObject(charge, created);
  const { created, refunds } = charge;
  return [
    { type: 'charge.succeeded', created, object },
    ...refunds.map((refund) => ({ type: 'charge.refunded', created: refund.created, object })),
  ];
}

function ofRefund(refund: Refund): Happening {
  return { type: 'refund.created', created: refund.created, object: () => refundObject(refund) };
}

function ofPayout(payout: Payout): Happening[] {
  const object = (created: number) => payoutObject(payout, created);
  const { created } = payout;
  return [
    { type: 'payout.created', created, object },
    { type: 'payout.paid', created: created + DAY_SECONDS, object },
  ];
}

function eventRow({ type, created, object }: Happening): Row {
  const about = object(created);
  const id = `evt_${type.replaceAll('.', '_')}_${about.id}_${created}`;
  return {
    id,
    created,
    at: () => eventObject({ id, type, created, object: object(created), livemode: false }),
  };
}
