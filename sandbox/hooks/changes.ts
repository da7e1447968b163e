/** What is different in other data, as the providers tell it. Only of accounts that somebody has subscribed to. */
import { hash } from 'node:crypto';
import type { Draft } from '../ndjson.ts';
import { get, getList, getText, type Plain } from '../plain.ts';
import { type Shop, splitGid, type World } from '../shopify/shop.ts';
import type { StripeAccount } from '../stripe/objects.ts';
import type { Account } from '../tables/declare.ts';
import type { Hooks } from './hooks.ts';
import type { Message } from './message.ts';

const BATCH_MAX = 100;

export function changesBetween(before: World, after: World, hooks: Hooks): Message[] {
  const messages: Message[] = [];
  for (const shop of after.shops.values())
    if (hooks.list('shopify', shop.name).length > 0)
      messages.push(...ofShop(before.shops.get(shop.name), shop));
  for (const account of after.stripe.values())
    if (hooks.list('stripe', account.id).length > 0)
      messages.push(...ofStripe(before.stripe.get(account.id), account, secondsOf(before), secondsOf(after)));
  for (const account of after.tables.get('sendgrid')?.values() ?? [])
    if (hooks.list('sendgrid', account.name).length > 0)
      messages.push(...ofSendGrid(before.tables.get('sendgrid')?.get(account.name), account, after));
  for (const account of after.tables.get('ayrshare')?.values() ?? [])
    if (hooks.list('ayrshare', account.name).length > 0)
      messages.push(...ofAyrshare(before.tables.get('ayrshare')?.get(account.name), account));
  return messages;
}

const secondsOf = ({ now }: World) => Math.floor((now ?? Date.now()) / 1000);

const KINDS = [
  ['orders', 'ORDERS', 'UPDATED'],
  ['customers', 'CUSTOMERS', 'UPDATE'],
  ['products', 'PRODUCTS', 'UPDATE'],
] as const;
const DELETED: Readonly<Record<string, string>> = {
  ORDER: 'ORDERS_DELETE',
  PRODUCT: 'PRODUCTS_DELETE',
  CUSTOMER: 'CUSTOMERS_DELETE',
};

function ofShop(before: Shop | undefined, shop: Shop): Message[] {
  const tell = (topic: string, row: Plain, more: Draft = {}) => shopMessage(shop.name, topic, row, more);
  const changed = KINDS.flatMap(([list, prefix, update]) => {
    const old = new Map((before?.lists[list] ?? []).map((row) => [String(get(row, 'id')), row]));
    return shop.lists[list].flatMap((row) => {
      const was = old.get(String(get(row, 'id')));
      if (was === undefined) return [tell(`${prefix}_CREATE`, row), ...refundsOf(undefined, row, tell)];
      if (JSON.stringify(was) === JSON.stringify(row)) return [];
      return [tell(`${prefix}_${update}`, row), ...refundsOf(was, row, tell)];
    });
  });
  const known = new Set((before?.lists.events ?? []).map((event) => String(get(event, 'id'))));
  const deleted = shop.lists.events.flatMap((event) => {
    const topic = DELETED[String(get(event, 'subjectType'))];
    if (topic === undefined || known.has(String(get(event, 'id')))) return [];
    return [tell(topic, { id: get(event, 'subjectId') })];
  });
  return [...changed, ...deleted];
}

type Tell = (topic: string, row: Plain, more?: Draft) => Message;

function refundsOf(before: Plain | undefined, order: Plain, tell: Tell): Message[] {
  const old = new Set(before ? getList(before, 'refunds').map((refund) => String(get(refund, 'id'))) : []);
  const key = splitGid(String(get(order, 'id')))?.key ?? '';
  return getList(order, 'refunds')
    .filter((refund) => !old.has(String(get(refund, 'id'))))
    .map((refund) => tell('REFUNDS_CREATE', refund, { order_id: key }));
}

/** REST-shaped, with ids as numbers of any size. */
export function shopMessage(account: string, topic: string, row: Plain, more: Draft = {}): Message {
  const global = String(get(row, 'id'));
  const ids = { id: splitGid(global)?.key ?? global, ...more };
  const numbers = Object.entries(ids).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  const [name, created, updated] = ['name', 'createdAt', 'updatedAt'].map((field) => getText(row, field));
  const texts = JSON.stringify({
    admin_graphql_api_id: global,
    ...{ name, created_at: created, updated_at: updated },
  });
  return messageOf('shopify', account, topic, `{${numbers.join(',')},${texts.slice(1)}`);
}

function ofStripe(
  before: StripeAccount | undefined,
  account: StripeAccount,
  beforeNow: number,
  now: number,
): Message[] {
  return [false, true].flatMap((livemode) => {
    const events = account.book(livemode).source('events');
    const old = before?.book(livemode).source('events');
    return Array.from({ length: events.length }, (_, position) => position).flatMap((position) => {
      const event = events.objectAt(position, now);
      const was = old?.positionOf(events.idAt(position));
      const isKnown = was !== undefined && old?.objectAt(was, beforeNow) !== undefined;
      if (event === undefined || Number(event.created) > now || isKnown) return [];
      return [messageOf('stripe', account.id, String(event.type), JSON.stringify(event), String(event.id))];
    });
  });
}

function ofSendGrid(before: Account | undefined, account: Account, world: World): Message[] {
  const old = new Set((before?.rows('events') ?? []).map((event) => JSON.stringify(event)));
  const now = (world.now ?? Date.now()) / 1000;
  const fresh = account
    .rows('events')
    .filter((event) => Number(event.timestamp) <= now && !old.has(JSON.stringify(event)));
  return batchesOf(account.name, fresh);
}

/** Events together, as they are flushed; `topic` lists the switches of all of them. */
export function batchesOf(account: string, events: readonly Draft[]): Message[] {
  const batches: Message[] = [];
  for (let start = 0; start < events.length; start += BATCH_MAX) {
    const some = events.slice(start, start + BATCH_MAX).map(({ _subuser: _, ...event }) => event);
    const body = `[${some.map((event) => JSON.stringify(event)).join(',\r\n')}]\r\n`;
    const switches = [...new Set(some.map(({ event }) => (event === 'spamreport' ? 'spam_report' : event)))];
    batches.push(messageOf('sendgrid', account, switches.join(' '), body));
  }
  return batches;
}

function ofAyrshare(before: Account | undefined, account: Account): Message[] {
  const old = (file: string) => new Set((before?.rows(file) ?? []).map((row) => JSON.stringify(row)));
  const fresh = (file: string) => {
    const known = old(file);
    return account.rows(file).filter((row) => !known.has(JSON.stringify(row)));
  };
  const refId = account.name;
  const links = fresh('accounts').map(({ platform, _unlinked }) =>
    actionOf(refId, 'social', { type: _unlinked === true ? 'unlink' : 'link', platform, source: 'user' }),
  );
  const posts = fresh('sent').map(({ id, status, postIds, errors = [] }) =>
    actionOf(refId, 'scheduled', { code: 200, status, id, errors, postIds }),
  );
  return [...links, ...posts];
}

export function actionOf(refId: string, action: string, more: Draft): Message {
  const told = { action, refId, ...more };
  const hookId = `hk_${digest(JSON.stringify(told))}`;
  return messageOf('ayrshare', refId, action, JSON.stringify({ ...told, hookId }), hookId);
}

function messageOf(
  provider: Message['provider'],
  account: string,
  topic: string,
  body: string,
  id = digest(body),
): Message {
  return { provider, account, topic, id, body };
}

const digest = (text: string) => hash('sha256', text).slice(0, 24);
