/** Event Webhooks of an account: as many as its plan allows, each with a key of its own once it signs. */
import { randomUUID } from 'node:crypto';
import { type Hook, isDeliverable, newKeys } from '../hooks/hooks.ts';
import type { Draft } from '../ndjson.ts';
import { type Asked, Refusal, type Route } from '../tables/declare.ts';
import type { Settings } from './settings.ts';

type Question = Asked<Settings>;

const PATH = '/v3/user/webhooks/event/settings';
const SCOPE = 'user.webhooks.event.settings';
export const WEBHOOK_SCOPES = ['read', 'create', 'update', 'delete'].map((what) => `${SCOPE}.${what}`);
const SWITCHES = [
  ...['group_resubscribe', 'delivered', 'group_unsubscribe', 'spam_report', 'bounce', 'deferred'],
  ...['unsubscribe', 'processed', 'open', 'click', 'dropped'],
];

export const webhookRoutes: readonly Route<Settings>[] = [
  { on: `GET ${PATH}/all`, needs: `${SCOPE}.read`, answer: all },
  { on: `GET ${PATH}/signed/{}`, needs: `${SCOPE}.read`, answer: (asked) => keyOf(found(asked)) },
  { on: `PATCH ${PATH}/signed/{}`, needs: `${SCOPE}.update`, answer: sign },
  { on: `GET ${PATH}/{}`, needs: `${SCOPE}.read`, answer: (asked) => shown(found(asked)) },
  { on: `PATCH ${PATH}/{}`, needs: `${SCOPE}.update`, answer: change },
  { on: `DELETE ${PATH}/{}`, needs: `${SCOPE}.delete`, status: 204, answer: remove },
  { on: `POST ${PATH}`, needs: `${SCOPE}.create`, status: 201, answer: make },
];

function listed({ hooks, account }: Question): Hook[] {
  return hooks.list('sendgrid', account.name);
}

function found(asked: Question): Hook {
  const hook = listed(asked).find(({ id }) => id === asked.ids[0]);
  if (!hook) throw new Refusal(404, 'Invalid id provided.');
  return hook;
}

function all(asked: Question): unknown {
  const webhooks = listed(asked).map(shown);
  return {
    max_allowed: asked.account.settings.webhooks,
    webhooks: webhooks.length === 0 ? [{}] : webhooks,
  };
}

function make(asked: Question): unknown {
  const { account, hooks, body, now } = asked;
  const url = urlOf(asked);
  const enabled = body.enabled !== false;
  assertRoom(asked, enabled);
  const hook: Hook = {
    ...{ id: randomUUID(), provider: 'sendgrid', account: account.name, url, enabled },
    ...{ topics: SWITCHES.filter((name) => body[name] === true), createdAt: new Date(now) },
    more: typeof body.friendly_name === 'string' ? { friendly_name: body.friendly_name } : {},
  };
  return shown(hooks.put(hook));
}

function change(asked: Question): unknown {
  const { hooks, body } = asked;
  const hook = found(asked);
  const url = body.url === undefined ? hook.url : urlOf(asked, hook.id);
  const enabled = typeof body.enabled === 'boolean' ? body.enabled : hook.enabled;
  assertRoom(asked, enabled && !hook.enabled);
  const topics = SWITCHES.filter((name) =>
    typeof body[name] === 'boolean' ? body[name] : hook.topics.includes(name),
  );
  return shown(hooks.put({ ...hook, url, enabled, topics }));
}

function remove(asked: Question): undefined {
  asked.hooks.remove(found(asked));
  return undefined;
}

/** Switching it off deletes the pair of keys; on again it is another. */
function sign(asked: Question): unknown {
  const { keys, ...hook } = found(asked);
  const isOn = asked.body.enabled === true;
  return keyOf(asked.hooks.put({ ...hook, ...(isOn && { keys: keys ?? newKeys() }) }));
}

function keyOf({ id, keys }: Hook): unknown {
  return { id, public_key: keys?.publicKey ?? '' };
}

function urlOf(asked: Question, own?: string): string {
  const { url } = asked.body;
  if (typeof url !== 'string' || !isDeliverable(url)) throw new Refusal(400, `'${url}' is not a valid url`);
  if (listed(asked).some((hook) => hook.url === url && hook.id !== own))
    throw new Refusal(400, `Webhook at '${url}' already exists. Please provide a unique URL.`);
  return url;
}

/** Counts those that are switched on. */
function assertRoom(asked: Question, isOneMore: boolean): void {
  const enabled = listed(asked).filter((hook) => hook.enabled).length;
  if (isOneMore && enabled >= asked.account.settings.webhooks)
    throw new Refusal(400, 'You have reached the maximum number of webhooks per your current billing plan.');
}

function shown({ id, url, enabled, topics, keys, createdAt, more }: Hook): Draft {
  const date = createdAt.toISOString();
  return {
    ...{ id, enabled, url, account_status_change: false },
    ...Object.fromEntries(SWITCHES.map((name) => [name, topics.includes(name)])),
    ...{ ...more, created_date: date, updated_date: date },
    ...(keys && { public_key: keys.publicKey }),
  };
}
