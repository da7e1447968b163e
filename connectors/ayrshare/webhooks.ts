/**
 * Webhooks of a profile: one address for each action, and one secret for all of them. A profile without its own is served
 * by that of the primary profile. https://www.ayrshare.com/docs/apis/webhooks/register
 */
import type { RequestContext } from '../kit/provider.ts';
import type { Order, Subscribing, Subscription } from '../kit/subscriptions.ts';
import { openAyrshare } from './api/client.ts';

const PATH = '/hook/webhook';
/** What the streams take as hints: accounts that are linked or not, and posts that were sent at their time. */
const TOPICS = ['social', 'scheduled', 'suspended'];
/** All that can be listed: the answer has a field for each, among others. */
const ACTIONS = new Set([
  ...TOPICS,
  ...['batch', 'feed', 'messages', 'mentions', 'comments', 'automations', 'accountActivity'],
]);

export const webhooks: Subscribing = {
  secrets: 'chosen',
  async list(context) {
    const { body } = await openAyrshare(context).get(PATH);
    const subscriptions = Object.entries(body).flatMap(([action, url]): Subscription[] =>
      ACTIONS.has(action) && typeof url === 'string'
        ? [{ id: action, topics: [action], url, isEnabled: true }]
        : [],
    );
    return {
      subscriptions,
      wanted: TOPICS.map((topic) => ({ topics: [topic] })),
      slots: { of: 'topic', count: 1 },
      notes: [],
    };
  },
  register: put,
  async change(context, _, order) {
    await put(context, order);
  },
  async remove(context, { id }) {
    await openAyrshare(context).delete(PATH, { action: id });
  },
};

/** It takes the place of what is there. */
async function put(context: RequestContext, { topics: [action = ''], url, secret }: Order) {
  await openAyrshare(context).post(PATH, { action, url, secret });
  return { id: action };
}
