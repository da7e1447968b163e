/**
 * The Event Webhooks of an account, of which a plan allows one or a few. Each signs with a key of its own, whose public
 * half the account shows at any time; signing is switched on behind making one.
 * https://www.twilio.com/docs/sendgrid/api-reference/webhooks/create-an-event-webhook
 */

import { Denied, ScopeMissing } from '../kit/errors.ts';
import { type Fields, isObject } from '../kit/fields.ts';
import type { RequestContext } from '../kit/provider.ts';
import type { Order, Subscribing, Subscription } from '../kit/subscriptions.ts';
import { openSendGrid, type SendGrid } from './api/client.ts';
import { PROVIDER } from './key.ts';

const PATH = '/v3/user/webhooks/event/settings';
/** The switches of the events that are counted. */
const TOPICS = [
  ...['bounce', 'click', 'deferred', 'delivered', 'dropped', 'group_resubscribe', 'group_unsubscribe'],
  ...['open', 'processed', 'spam_report', 'unsubscribe'],
];
const SLOTS_IF_UNSAID = 1;

export const webhooks: Subscribing = {
  secrets: 'shown',
  list: (context) =>
    asked(context, 'read', async (sendgrid) => {
      const body = await sendgrid.get(`${PATH}/all`, [], (answer) => (isObject(answer) ? answer : {}));
      const listed = Array.isArray(body.webhooks) ? body.webhooks.filter(isObject) : [];
      const count = typeof body.max_allowed === 'number' ? body.max_allowed : SLOTS_IF_UNSAID;
      return {
        subscriptions: listed.filter(({ id }) => typeof id === 'string').map(subscriptionOf), // none is listed as {}
        wanted: [{ topics: TOPICS }],
        slots: { of: 'account', count },
        notes: [],
      };
    }),
  register: (context, order) =>
    asked(context, 'create', async (sendgrid) => {
      const name = `Nightshift, connection ${context.connection.name}`;
      const body = { ...settingsOf(order), friendly_name: name };
      const made = await sendgrid.change('POST', PATH, body);
      const id = String(isObject(made) ? made.id : undefined);
      await sign(sendgrid, id);
      return { id };
    }),
  change: (context, id, order) =>
    asked(context, 'update', async (sendgrid) => {
      await sendgrid.change('PATCH', pathTo(id), settingsOf(order));
      await sign(sendgrid, id);
    }),
  remove: (context, { id }) =>
    asked(context, 'delete', async (sendgrid) => {
      await sendgrid.change('DELETE', pathTo(id));
    }),
};

const pathTo = (id: string) => `${PATH}/${encodeURIComponent(id)}`;

/** Keeps the key that there is. */
async function sign(sendgrid: SendGrid, id: string): Promise<void> {
  await sendgrid.change('PATCH', `${PATH}/signed/${encodeURIComponent(id)}`, { enabled: true });
}

function settingsOf({ topics, url }: Order): object {
  const switches = Object.fromEntries(TOPICS.map((topic) => [topic, topics.includes(topic)]));
  return { enabled: true, url, ...switches };
}

function subscriptionOf(webhook: Fields): Subscription {
  const { id, url, enabled, public_key: key } = webhook;
  return {
    ...{ id: String(id), url: String(url), isEnabled: enabled === true },
    topics: TOPICS.filter((topic) => webhook[topic] === true),
    ...(typeof key === 'string' && key !== '' && { secret: key }),
  };
}

async function asked<T>(
  context: RequestContext,
  what: 'read' | 'create' | 'update' | 'delete',
  ask: (sendgrid: SendGrid) => Promise<T>,
): Promise<T> {
  try {
    return await ask(openSendGrid(context));
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    const scope = `user.webhooks.event.settings.${what}`;
    throw new ScopeMissing(PROVIDER, context.connection, scope, error.answer);
  }
}
