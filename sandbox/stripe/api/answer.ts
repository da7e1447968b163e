import { reordered } from '../../random.ts';
import { KINDS, type Kind } from '../kinds.ts';
import type { StripeObject } from '../objects.ts';
import { accountObject, balanceObject } from './account_objects.ts';
import { assertMay } from './auth.ts';
import { range } from './filters.ts';
import { EVENTS_KEPT_SECONDS, listPage, type Page, pageWithin } from './list.ts';
import { assertNamesKnown } from './names_known.ts';
import { COMPOSED, type Lookup, NO_TREE, present, readExpand, type Tree } from './present.ts';
import { assertKnown, type Params, textParam } from './query.ts';
import type { Question } from './question.ts';
import { missing, StripeError } from './stripe_error.ts';

/** Throws a StripeError for what Stripe refuses. */
export function answer(question: Question): StripeObject {
  const { method, path, params, caller } = question;
  const [, , resource = '', id, below, more] = path.split('/').map(decodeURIComponent);
  const tree = readExpand(params.expand);
  if (method !== 'GET' || more !== undefined) throw unrecognized(question);
  if (resource === 'balance' && id === undefined) {
    assertMay(caller, 'rak_balance_read');
    assertKnown(params, []);
    return balanceObject(question);
  }
  if (resource === 'account' && id === undefined) return anAccount(question, caller.account.id);
  if (resource === 'accounts' && id !== undefined && below === undefined) return anAccount(question, id);
  if (resource === 'accounts' && id === undefined) return accounts(question, tree);
  if (resource === 'subscription_items') return items(question, id, tree);
  const kind = KINDS.get(resource);
  if (!kind) throw unrecognized(question);
  assertMay(caller, kind.permission);
  if (id === undefined) return list(question, kind, params, tree, `/v1/${resource}`);
  if (below === undefined) {
    assertKnown(params, []);
    return presentOne(question, getObject(question, kind, id), tree);
  }
  return listBelow(question, kind, id, below, tree);
}

function listBelow(question: Question, kind: Kind, id: string, below: string, tree: Tree): StripeObject {
  const { params, path, caller } = question;
  const owner = getObject(question, kind, id);
  if (LINES.has(kind.name) && below === 'lines') {
    assertKnown(params, PAGING);
    return asList(question, pageWithin(listData(owner.lines), params), tree, path);
  }
  const composed = COMPOSED[`${kind.object}.${below}`];
  const others = composed?.url(id) === path ? KINDS.get(composed.kind) : undefined;
  if (!composed || !others) throw unrecognized(question);
  assertMay(caller, others.permission);
  return list(question, others, { ...params, [composed.field]: id }, tree, path);
}

/** Kinds whose lines have a list of their own. */
const LINES: ReadonlySet<string> = new Set(['invoices', 'credit_notes']);
const PAGING = ['limit', 'starting_after', 'ending_before'];

/** The accounts that are connected to the key's own, the newest first. */
function accounts(question: Question, tree: Tree): StripeObject {
  const { caller, params, world } = question;
  assertMay(caller, 'rak_accounts_kyc_basic_read');
  assertKnown(params, [...PAGING, 'created']);
  const within = params.created === undefined ? undefined : range('created').read(params.created, 'created');
  const rows = caller.account.connected
    .flatMap((id) => world.get(id) ?? [])
    .map(accountObject)
    .filter((account) => within?.(account) !== false);
  return asList(question, pageWithin(rows.reverse(), params), tree, '/v1/accounts');
}

function list(question: Question, kind: Kind, params: Params, tree: Tree, url: string): StripeObject {
  const { faults, book, now } = question;
  if (faults.expiresCursor) {
    const param = params.starting_after === undefined ? 'ending_before' : 'starting_after';
    throw missing(kind.object, textParam(params, param) ?? '', param, 400);
  }
  assertNamesKnown(kind, params, book, now);
  const page = listPage({
    kind,
    source: book.source(kind.name),
    params,
    now: kind.name === 'events' ? now - faults.eventLagSeconds : now,
    isHidden: (id) => faults.late.has(id),
    backOf: (id) => (faults.showsOlder(id) ? 1 : 0),
    repeats: faults.repeats(),
  });
  const { data, hasMore } = page;
  const shown = data.length > 1 && faults.reorders() ? reordered(data) : data;
  return asList(question, { data: shown, hasMore }, tree, url);
}

function asList(question: Question, { data, hasMore }: Page, tree: Tree, url: string): StripeObject {
  const below = tree.get('data');
  const stray = [...tree.keys()].find((step) => step !== 'data');
  if (stray !== undefined) {
    const hint = `You may want to try expanding 'data.${stray}' instead.`;
    throw new StripeError(400, `This property cannot be expanded (${stray}). ${hint}`, { param: 'expand' });
  }
  const rows = data.map((object) => presentOne(question, object, below ?? NO_TREE));
  return { object: 'list', url, has_more: hasMore, data: rows };
}

function presentOne(question: Question, object: StripeObject, tree: Tree): StripeObject {
  return object.deleted === true ? object : present(object, tree, lookupOf(question));
}

/** Kinds whose deleted objects are expanded to what is left of them. */
const EXPANDS_TO_TOMBSTONE: ReadonlySet<string> = new Set(['customers', 'products']);

function lookupOf({ book, now, faults, caller }: Question): Lookup {
  return {
    find: (name, id) => {
      const source = book.source(name);
      const position = source.positionOf(id);
      if (position === undefined) return undefined;
      const kind = KINDS.get(name);
      if (kind) assertMay(caller, kind.permission);
      const object = source.objectAt(position, now);
      if (object?.deleted !== true || EXPANDS_TO_TOMBSTONE.has(name)) return object;
      // A discount outlives its coupon, which nobody can use any more.
      const before = source.objectAt(position, now, 1);
      return name === 'coupons' ? { ...before, valid: false } : before;
    },
    naming: (name, field, id) => {
      const kind = KINDS.get(name);
      if (!kind) return { data: [], hasMore: false };
      assertMay(caller, kind.permission);
      const request = {
        kind,
        source: book.source(name),
        params: { [field]: id },
        now,
        isHidden: (id: string) => faults.late.has(id),
        backOf: () => 0 as const,
        repeats: false,
      };
      return listPage(request);
    },
  };
}

function getObject(
  { book, now, faults, caller }: Question,
  kind: Kind,
  id: string,
  [param, status]: [param: string, status: number] = ['id', 404],
): StripeObject {
  const find = (source = book.source(kind.name)) => {
    const position = source.positionOf(id);
    return position === undefined ? undefined : source.objectAt(position, now, faults.showsOlder(id) ? 1 : 0);
  };
  const object = find();
  if (kind.name === 'events' && object && Number(object.created) < now - EVENTS_KEPT_SECONDS) {
    const message = `No such event: '${id}'; it has aged out of the retention policy of 30 days.`;
    throw new StripeError(404, message, { code: 'resource_missing', param: 'id' });
  }
  if (object && (object.deleted !== true || kind.leavesTombstone)) return object;
  const other = caller.account.book(!caller.livemode).source(kind.name);
  if (object || find(other) === undefined) throw missing(kind.object, id, param, status);
  const [there, here] = caller.livemode ? ['test', 'live'] : ['live', 'test'];
  throw new StripeError(
    status,
    `No such ${kind.object}: '${id}'; a similar object exists in ${there} mode, but a ${here} mode key was used to make this request.`,
    { code: 'resource_missing', param },
  );
}

function items(question: Question, id: string | undefined, tree: Tree): StripeObject {
  const { params, book, now, caller } = question;
  const kind = KINDS.get('subscriptions');
  if (!kind) throw unrecognized(question);
  assertMay(caller, kind.permission);
  if (id === undefined) {
    assertKnown(params, [...PAGING, 'subscription']);
    const subscription = textParam(params, 'subscription');
    if (subscription === undefined) {
      throw new StripeError(400, 'Missing required param: subscription.', {
        code: 'parameter_missing',
        param: 'subscription',
      });
    }
    const rows = listData(getObject(question, kind, subscription, ['subscription', 400]).items);
    return asList(question, pageWithin(rows, params), tree, '/v1/subscription_items');
  }
  const source = book.source('subscriptions');
  for (let position = 0; position < source.length; position++) {
    const item = listData(source.objectAt(position, now)?.items).find((one) => one.id === id);
    if (item) return presentOne(question, item, tree);
  }
  throw missing('subscription_item', id);
}

function anAccount({ caller, params, world }: Question, id: string): StripeObject {
  assertMay(caller, 'rak_accounts_kyc_basic_read');
  assertKnown(params, []);
  if (id === caller.account.id) return accountObject(caller.account);
  const named = caller.account.connected.includes(id) ? world.get(id) : undefined;
  if (!named) throw missing('account', id);
  return accountObject(named);
}

function listData(list: unknown): StripeObject[] {
  const data = typeof list === 'object' && list !== null ? (list as StripeObject).data : undefined;
  return Array.isArray(data) ? data : [];
}

function unrecognized({ method, path }: Question): StripeError {
  return new StripeError(
    404,
    `Unrecognized request URL (${method}: ${path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`,
  );
}
