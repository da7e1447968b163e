/**
 * Endpoints of an account. The secret of one is told once, in the answer that makes it, and its API version stays: so
 * one whose secret is not stored, or that is of another version, is made anew.
 * https://docs.stripe.com/api/webhook_endpoints
 */
import type { Order, Subscribing, Subscription } from '../kit/subscriptions.ts';
import { API_VERSION, openStripe, type Params } from './api/client.ts';
import { below, textIfAny } from './api/coerce.ts';
import { listAll } from './api/list.ts';
import type { StripeStream } from './sync/event_feed.ts';

const PATH = '/v1/webhook_endpoints';
/** What it says of itself: an endpoint that a person made has a secret that a person stored. */
const MARK = 'nightshift';
const EVERYTHING = '*';

export function webhooksOf(streams: readonly StripeStream[]): Subscribing {
  const topics = [...new Set(streams.flatMap(({ collection }) => collection.events))].sort();
  return {
    secrets: 'once',
    async list(context) {
      const endpoints = await listAll(openStripe(context), PATH, []);
      const subscriptions = endpoints.map((endpoint) => subscriptionOf(endpoint, topics));
      return { subscriptions, wanted: [{ topics, version: API_VERSION }], notes: [] };
    },
    async register(context, order) {
      const connection = context.connection.id;
      const params: Params = [
        ...paramsOf(order),
        ['api_version', order.version ?? API_VERSION],
        ['description', `Nightshift, connection ${context.connection.name}`],
        [`metadata[${MARK}]`, connection],
      ];
      const made = await openStripe(context).send('POST', PATH, params);
      return { id: String(made.id), ...(typeof made.secret === 'string' && { secret: made.secret }) };
    },
    async change(context, id, order) {
      await openStripe(context).send('POST', pathTo(id), [...paramsOf(order), ['disabled', 'false']]);
    },
    async remove(context, { id }) {
      await openStripe(context).send('DELETE', pathTo(id), []);
    },
  };
}

const pathTo = (id: string) => `${PATH}/${encodeURIComponent(id)}`;

function paramsOf({ topics, url }: Order): Params {
  return [
    ['url', url],
    ...topics.map((topic, index): readonly [string, string] => [`enabled_events[${index}]`, topic]),
  ];
}

function subscriptionOf(endpoint: Record<string, unknown>, wanted: readonly string[]): Subscription {
  const events = Array.isArray(endpoint.enabled_events) ? endpoint.enabled_events.map(String) : [];
  return {
    id: String(endpoint.id),
    topics: events.includes(EVERYTHING) ? [...wanted, EVERYTHING] : events,
    url: String(endpoint.url),
    isEnabled: endpoint.status === 'enabled',
    version: textIfAny(endpoint, 'api_version') ?? 'of the account',
    isMarked: textIfAny(below(endpoint, 'metadata'), MARK) !== null,
  };
}
