/** Webhooks of a profile: an address for each action, and one secret for all. */
import { isDeliverable } from '../hooks/hooks.ts';
import { type Asked, Refusal, type Route } from '../tables/declare.ts';
import type { Settings } from './settings.ts';

type Question = Asked<Settings>;

export const ACTIONS = [
  ...['feed', 'social', 'scheduled', 'batch', 'messages', 'accountActivity', 'suspended', 'mentions'],
  ...['comments', 'automations'],
];

/** Both addresses exist. */
export const webhookRoutes: readonly Route<Settings>[] = [
  ...['/hook/webhook', '/hook'].flatMap((path) => [
    { on: `POST ${path}`, answer: register },
    { on: `GET ${path}`, answer: list },
    { on: `DELETE ${path}`, answer: remove },
  ]),
  { on: 'POST /hook/webhook/secret', answer: rotate },
];

function actionOf({ body }: Question): string {
  const { action } = body;
  if (typeof action === 'string' && ACTIONS.includes(action)) return action;
  throw new Refusal(400, `Missing or invalid action. Known are ${ACTIONS.join(', ')}.`);
}

function register(asked: Question): unknown {
  const { account, hooks, body, now } = asked;
  const action = actionOf(asked);
  const { url, secret } = body;
  if (typeof url !== 'string' || !isDeliverable(url))
    throw new Refusal(400, 'The url must be valid and begin with https://');
  hooks.put({
    ...{ id: action, provider: 'ayrshare', account: account.name, topics: [action], url, enabled: true },
    ...{ createdAt: new Date(now), more: {} },
  });
  if (typeof secret === 'string') hooks.setSecret(account.name, secret);
  return { status: 'success', action, url, refId: account.name };
}

function rotate({ account, hooks, body: { secret }, headers }: Question): unknown {
  if (headers['profile-key'] === undefined) throw new Refusal(400, 'The Profile-Key is required.');
  if (typeof secret !== 'string' || secret === '') throw new Refusal(400, 'The secret is required.');
  hooks.rotateSecret(account.name, secret);
  return { status: 'success', action: 'webhook', refId: account.name };
}

function list({ account, hooks }: Question): unknown {
  const all = hooks.list('ayrshare', account.name);
  const newest = Math.max(0, ...all.map(({ createdAt }) => createdAt.getTime()));
  return {
    status: 'success',
    ...Object.fromEntries(all.map(({ id, url }) => [id, url])),
    ...{ refId: account.name, updated: new Date(newest).toISOString() },
  };
}

function remove(asked: Question): unknown {
  const { account, hooks } = asked;
  const action = actionOf(asked);
  const hook = hooks.find('ayrshare', account.name, action);
  if (!hook) throw new Refusal(404, 'Webhook not found.');
  hooks.remove(hook);
  return { status: 'success', action, refId: account.name };
}
