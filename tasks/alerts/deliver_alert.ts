/**
 * Tells the world outside of a broken promise, or that it is kept after all: Sentry, and a webhook that is signed. Each
 * channel has a job of its own, so that one that refuses keeps the other from nothing. The row of the alert says
 * what; a delivery that fails is tried again.
 */
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { postJson } from '#runtime/deliver.ts';
import { coded } from '#runtime/errors.ts';
import { type Alert, readAlert } from '#sql/alerts/alerts.ts';
import type { Tx } from '#sql/db/pool.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask, type TaskContext } from '../task.ts';

const channels = ['webhook', 'sentry'] as const;

export class PromiseBroken extends coded('NS_PROMISE_BROKEN') {
  constructor({ promise, brand, connection, cause, hint, id }: Alert) {
    super(`${brand ? `${brand}: ` : ''}this was not kept: ${promise}. Cause: ${cause}`, {
      hint,
      context: { alert: id, brand, connection },
    });
  }
}

export const deliverAlert = defineTask({
  name: 'deliver_alert',
  payload: z.strictObject({ alertId: z.int(), isResolved: z.boolean(), channel: z.enum(channels) }),
  attempts: 12,
  timeoutSeconds: 60,
  priority: 'urgent',
  async run({ alertId, isResolved, channel }, context) {
    const alert = await readAlert(context.db, alertId);
    if (alert === undefined) return { skipped: 'it is gone with its brand' };
    // The last word must be the true one, in whatever order deliveries get through.
    if (!isResolved && alert.resolvedAt !== null) return { skipped: 'the promise is kept after all' };
    return channel === 'webhook' ? post(alert, isResolved, context) : capture(alert, isResolved, context);
  },
});

/** One for each channel. The last of its transaction. */
export async function queueDeliveries(
  tx: Tx,
  alertId: number,
  { isResolved }: { isResolved: boolean },
): Promise<void> {
  for (const channel of channels) await enqueue(tx, deliverAlert, { alertId, isResolved, channel });
}

async function post(alert: Alert, isResolved: boolean, { services, signal }: TaskContext) {
  const { webhook } = services.alerts ?? {};
  if (webhook === undefined) return { skipped: 'NIGHTSHIFT_ALERT_URL is not set' };
  const body = JSON.stringify(bodyOf(alert, isResolved));
  const timestamp = Math.floor(Date.now() / 1000);
  const headers = { 'nightshift-signature': `t=${timestamp},v1=${sign(webhook.secret, timestamp, body)}` };
  await postJson(webhook.url, body, { headers, signal });
  return { delivered: true };
}

async function capture(alert: Alert, isResolved: boolean, { services, log }: TaskContext) {
  if (isResolved) {
    log.info({ alert: alert.id, promise: alert.promise }, 'a promise is kept after all');
    return { delivered: true };
  }
  log.error({ alert: alert.id, promise: alert.promise, cause: alert.cause }, 'a promise is broken');
  services.alerts?.capture?.(new PromiseBroken(alert), {
    ...{ promise: alert.kind, brand: alert.brand ?? 'all' },
    ...(alert.connection && { connection: alert.connection }),
  });
  return { delivered: services.alerts?.capture !== undefined };
}

function bodyOf(alert: Alert, isResolved: boolean) {
  const { id, kind, brand, connection, promise, cause, hint, raisedAt, resolvedAt } = alert;
  const state = isResolved ? 'resolved' : 'raised';
  const what = { alert: id, state, kind, brand, connection, promise, cause, hint };
  return { ...what, raised_at: raisedAt, resolved_at: resolvedAt };
}

/** HMAC-SHA256 over the time and the body, so that neither can be changed nor sent again later. */
export function sign(secret: string, timestamp: number, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}
