/**
 * Tells the world outside of a broken promise, or that it is kept after all: Sentry, and a webhook that is signed.
 * The row of the alert says what; a delivery that fails is tried again.
 */
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import { postJson } from '#runtime/post_json.ts';
import { type Alert, readAlert } from '#sql/alerts/alerts.ts';
import { defineTask } from './task.ts';

export class PromiseBroken extends coded('NS_PROMISE_BROKEN') {
  constructor({ promise, brand, cause, hint, id }: Alert) {
    super(`${brand ? `${brand}: ` : ''}${promise}: not so, because ${cause}`, {
      hint,
      context: { alert: id, brand },
    });
  }
}

export const deliverAlert = defineTask({
  name: 'deliver_alert',
  payload: z.strictObject({ alertId: z.int(), isResolved: z.boolean() }),
  attempts: 12,
  timeoutSeconds: 60,
  async run({ alertId, isResolved }, { db, services, signal, now, log }) {
    const alert = await readAlert(db, alertId);
    if (alert === undefined) return { skipped: 'it is gone with its brand' };
    const { webhook, capture } = services.alerts ?? {};
    if (webhook !== undefined) {
      const body = JSON.stringify(bodyOf(alert, isResolved));
      const timestamp = Math.floor(now().getTime() / 1000);
      const headers = {
        'nightshift-signature': `t=${timestamp},v1=${sign(webhook.secret, timestamp, body)}`,
      };
      await postJson(webhook.url, body, { headers, signal });
    }
    if (!isResolved) {
      log.error({ alert: alertId, promise: alert.promise, cause: alert.cause }, 'a promise is broken');
      capture?.(new PromiseBroken(alert), { promise: 'night' });
    }
    return { webhook: webhook !== undefined, resolved: isResolved };
  },
});

function bodyOf({ id, brand, promise, cause, hint, raisedAt, resolvedAt }: Alert, isResolved: boolean) {
  const state = isResolved ? 'resolved' : 'raised';
  return { alert: id, state, brand, promise, cause, hint, raised_at: raisedAt, resolved_at: resolvedAt };
}

/** HMAC-SHA256 over the time and the body, so that neither can be changed nor sent again later. */
export function sign(secret: string, timestamp: number, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}
