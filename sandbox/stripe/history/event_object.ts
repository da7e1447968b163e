import { isPlain } from '../../plain.ts';
import type { StripeObject } from '../objects.ts';

export type Told = {
  id: string;
  type: string;
  created: number;
  /** What the event is about, as it was then. */
  object: StripeObject;
  /** Its state before, if it had one. */
  before?: StripeObject | undefined;
  /** Of the account's book: refunds, for one, do not say theirs. */
  livemode: boolean;
};

/** An event as the API gives it. */
export function eventObject({ id, type, created, object, before, livemode }: Told): StripeObject {
  const isUpdate = type.endsWith('.updated') && before !== undefined;
  return {
    id,
    object: 'event',
    api_version: '2026-10-28.endive',
    created,
    data: { object, ...(isUpdate ? { previous_attributes: previousOf(before, object) } : {}) },
    livemode,
    pending_webhooks: 0,
    request: { id: null, idempotency_key: null },
    type,
  };
}

/** What changed, with its values before: of objects only the fields that did, of arrays all. */
function previousOf(before: StripeObject, after: StripeObject): StripeObject {
  const previous: StripeObject = {};
  for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[field] ?? null, after[field] ?? null];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    const isNested = isPlain(old) && isPlain(now);
    previous[field] = isNested ? previousOf(old as StripeObject, now as StripeObject) : old;
  }
  return previous;
}
