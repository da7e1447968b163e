/** Webhook endpoints of an account: the secret stands only in the answer that makes one. */
import { type Hook, type Hooks, isDeliverable, newSecret } from '../../hooks/hooks.ts';
import type { StripeObject } from '../objects.ts';
import { assertMay, type Caller } from './auth.ts';
import { pageWithin } from './list.ts';
import { assertKnown, type Param, type Params, textParam } from './query.ts';
import { missing, StripeError } from './stripe_error.ts';

const PATH = /^\/v1\/webhook_endpoints(?:\/([^/]+))?$/;
const FIELDS = ['url', 'enabled_events', 'api_version', 'description', 'metadata', 'disabled', 'connect'];
const ENDPOINTS_MAX = 16;

export type EndpointRequest = {
  method: string;
  path: string;
  params: Params;
  caller: Caller;
  hooks: Hooks;
  idempotencyKey: string | undefined;
  now: number;
};

/** What was answered to a request with such a key is answered again. */
const answered = new WeakMap<Hooks, Map<string, StripeObject>>();

/** Undefined for another address. */
export function endpointAnswer(request: EndpointRequest): StripeObject | undefined {
  const { method, path, caller, idempotencyKey, hooks } = request;
  const match = PATH.exec(path);
  if (!match) return undefined;
  assertMay(caller, method === 'GET' ? 'rak_webhook_read' : 'rak_webhook_write');
  const known = answered.get(hooks) ?? new Map<string, StripeObject>();
  answered.set(hooks, known);
  const key = `${caller.account.id} ${idempotencyKey}`;
  const before = idempotencyKey === undefined ? undefined : known.get(key);
  if (before) return before;
  const answer = answerOf(request, match[1]);
  if (idempotencyKey !== undefined) known.set(key, answer);
  return answer;
}

function answerOf(request: EndpointRequest, id: string | undefined): StripeObject {
  const { method, params, caller, hooks } = request;
  if (id === undefined) return method === 'POST' ? make(request) : list(request);
  const hook = hooks.find('stripe', caller.account.id, id);
  if (!hook) throw missing('webhook_endpoint', id);
  if (method === 'GET') return shown(hook, caller);
  if (method === 'DELETE') {
    hooks.remove(hook);
    return { id, object: 'webhook_endpoint', deleted: true };
  }
  assertKnown(params, FIELDS);
  const { disabled } = params;
  const enabled = disabled === undefined ? hook.enabled : disabled !== 'true';
  const url = params.url === undefined ? hook.url : urlOf(params);
  const topics = params.enabled_events === undefined ? hook.topics : eventsOf(params);
  return shown(hooks.put({ ...hook, url, topics, enabled }), caller);
}

function make({ params, caller, hooks, now }: EndpointRequest): StripeObject {
  assertKnown(params, FIELDS);
  const account = caller.account.id;
  if (hooks.list('stripe', account).length >= ENDPOINTS_MAX)
    throw new StripeError(400, `You have reached the maximum of ${ENDPOINTS_MAX} test webhook endpoints.`);
  const secret = newSecret();
  const { description, api_version: version, metadata = {} } = params;
  const hook = hooks.put({
    ...{ id: `we_sandbox${hooks.next()}`, provider: 'stripe', account, secret, enabled: true },
    ...{ topics: eventsOf(params), url: urlOf(params), createdAt: new Date(now * 1000) },
    more: { description: description ?? null, api_version: version ?? null, metadata },
  });
  return { ...shown(hook, caller), secret };
}

function list({ params, caller, hooks, path }: EndpointRequest): StripeObject {
  assertKnown(params, ['limit', 'starting_after', 'ending_before']);
  const all = hooks.list('stripe', caller.account.id).map((hook) => shown(hook, caller));
  const { data, hasMore } = pageWithin(all.reverse(), params);
  return { object: 'list', url: path, has_more: hasMore, data };
}

function shown({ id, topics, url, enabled, createdAt, more }: Hook, { livemode }: Caller): StripeObject {
  return {
    ...{ id, object: 'webhook_endpoint', application: null, created: Math.floor(createdAt.getTime() / 1000) },
    ...{ enabled_events: [...topics], livemode, status: enabled ? 'enabled' : 'disabled', url, ...more },
  };
}

function urlOf(params: Params): string {
  const url = textParam(params, 'url');
  if (url === undefined) throw lacking('url');
  if (!isDeliverable(url))
    throw new StripeError(400, 'Invalid URL: URL must be publicly accessible.', { param: 'url' });
  return url;
}

function eventsOf({ enabled_events: events }: Params): string[] {
  const listed: Param = events ?? [];
  if (!Array.isArray(listed) || listed.length === 0) throw lacking('enabled_events');
  return [...listed];
}

function lacking(param: string): StripeError {
  return new StripeError(400, `Missing required param: ${param}.`, { code: 'parameter_missing', param });
}
