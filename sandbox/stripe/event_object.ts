import type { StripeObject } from './objects.ts';

/** An event as the API gives it; `object` is what it is about, as it was then. */
export function eventObject(id: string, type: string, created: number, object: StripeObject): StripeObject {
  return {
    id,
    object: 'event',
    api_version: '2026-10-28.endive',
    created,
    data: { object },
    livemode: object.livemode === true,
    pending_webhooks: 0,
    request: { id: null, idempotency_key: null },
    type,
  };
}
