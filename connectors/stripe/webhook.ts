/**
 * Webhooks of an account. The events are those that a sync lists, so the same rules say which objects they concern.
 * https://docs.stripe.com/webhooks/signature
 */
import { quote } from '#runtime/scrub.ts';
import { type Fields, isObject } from '../kit/fields.ts';
import { type Delivery, exactJson, type Hint, hmac, isSame, type Webhook } from '../kit/webhook.ts';
import { ownerId } from './api/fetch_by_id.ts';
import type { Collection } from './sync/collection.ts';
import type { StripeStream } from './sync/event_feed.ts';
import { listener } from './sync/listen.ts';

const MB = 1024 * 1024;
const SIGNATURE = 'stripe-signature';
/** Stripe signs each repetition anew, so an older signature is a replay. */
const AGE_SECONDS_MAX = 300;
/** What is forwarded within this time still verifies when it arrives. */
const FRESH_SECONDS = 120;
const BOOKING = /^txn_\w{1,100}$/;
const SIGNATURES_MAX = 20;

export function webhookOf(streams: readonly StripeStream[]): Webhook {
  return {
    bytesMax: 3 * MB,
    headers: [SIGNATURE],
    isSigned,
    resign,
    read({ body }) {
      const event = exactJson(body);
      if (!isObject(event) || typeof event.id !== 'string') throw new TypeError('it is not an event');
      const { id, type } = event;
      const hints = streams.flatMap((stream) => hintsOf(stream, asListed(event)));
      return { id, topic: quote(String(type), 200), hints };
    },
    problemOf: (secret) =>
      secret.startsWith('whsec_') ? undefined : 'the secret of an endpoint begins with whsec_',
  };
}

function isSigned({ headers, body }: Delivery, secrets: readonly string[], now: Date): boolean {
  const { time, signatures } = signatureIn(headers[SIGNATURE] ?? '');
  const age = now.getTime() / 1000 - Number(time);
  if (!/^\d{1,12}$/.test(time) || Math.abs(age) > AGE_SECONDS_MAX) return false;
  const wanted = secrets.map((secret) => hmac(secret, `${time}.`, body));
  return wanted.filter((one) => signatures.some((given) => isSame(one, given))).length > 0;
}

/** One that is fresh stays as it came. Each secret signs, because who verifies it may know the old or the new one. */
function resign({ headers, body }: Delivery, secrets: readonly string[], now: Date): Record<string, string> {
  const seconds = Math.floor(now.getTime() / 1000);
  const { time } = signatureIn(headers[SIGNATURE] ?? '');
  if (seconds - Number(time) <= FRESH_SECONDS || secrets.length === 0) return {};
  const signatures = secrets.map((secret) => `v1=${hmac(secret, `${seconds}.`, body).toString('hex')}`);
  return { [SIGNATURE]: [`t=${seconds}`, ...signatures].join(',') };
}

/** `t=…,v1=…`, with a second `v1` while a secret is replaced; other schemes do not count. */
function signatureIn(header: string): { time: string; signatures: Buffer[] } {
  const parts = header.split(',', SIGNATURES_MAX).map((part) => part.trim());
  const of = (name: string) =>
    parts.filter((part) => part.startsWith(`${name}=`)).map((part) => part.slice(name.length + 1));
  return { time: of('t')[0] ?? '', signatures: of('v1').map((hex) => Buffer.from(hex, 'hex')) };
}

/** An event without its object (a thin one) names it; then it looks like one that is listed. */
function asListed(event: Fields): Fields {
  if (event.object !== 'v2.core.event' || !isObject(event.related_object)) return event;
  const { id, type } = event.related_object;
  return { ...event, type: String(event.type).replace(/^v1\./, ''), data: { object: { id, object: type } } };
}

function hintsOf({ name: stream, collection }: StripeStream, event: Fields): Hint[] {
  const heard = hear(collection, event);
  // Bookings have no events, and what dates a version is the list of events: both read their changes.
  const isRead = collection.isDated ? heard.changed.size + heard.owners.size > 0 : heard.fresh > 0;
  if (collection.movedBy)
    return isRead ? [...bookingsOf(event).map((id) => ({ stream, id })), { stream }] : [];
  if (collection.isDated) return isRead ? [{ stream }] : [];
  const owners = [...heard.owners.keys()].map((id) => ownerId(collection, id));
  return [...heard.changed.keys(), ...owners].map((id) => ({ stream, id }));
}

/** Those that the object of an event names are fetched at once; the ledger is read for others, and proves that it is whole. */
function bookingsOf({ type, data }: Fields): string[] {
  const object = isObject(data) ? data.object : undefined;
  if (!isObject(object) || type === 'charge.refunded') return []; // it names that of the payment
  const { balance_transaction: one, failure_balance_transaction: failed, balance_transactions: all } = object;
  return [one, failed, ...(Array.isArray(all) ? all : [])].flatMap((named) => {
    const id = isObject(named) ? named.id : named;
    return typeof id === 'string' && BOOKING.test(id) ? [id] : [];
  });
}

function hear(collection: Collection, event: Fields) {
  const always = { from: 0, before: Number.POSITIVE_INFINITY, eventsBefore: Number.POSITIVE_INFINITY };
  const listening = listener(collection, { ...always, known: new Set() });
  listening.hear(event);
  return listening.heard();
}
