/** Ayrshare out of tables: linked accounts, posts and their numbers as of a moment, and networks that refuse. */
import type { Draft } from '../ndjson.ts';
import { type Account, type Accounts, type Asked, type Asking, declare, Refusal } from '../tables/declare.ts';
import { assertCursor, pageOf, wholeOf } from '../tables/lists.ts';
import { cached, FILES, type Settings, shape, shown, statesAt } from './settings.ts';
import { webhookRoutes } from './webhooks.ts';

type Question = Asked<Settings>;

const HISTORY_MAX = 500;
const SENT_MAX = 1_000;
const PROFILES_MAX = 5_000;
const STORY_MS = 86_400_000;
/** Demanded of whatever concerns X, since 2026-03-31. */
const X_HEADERS = ['x-twitter-oauth1-api-key', 'x-twitter-oauth1-api-secret'];
const UNLISTED = new Set(['gmb', 'reddit', 'telegram']);

export const ayrshare = declare<Settings>({
  name: 'ayrshare',
  title: 'Ayrshare',
  shape,
  files: FILES,
  accountOf,
  limitOf: ({ name, settings: { limit } }) => ({ key: `ayrshare ${name}`, ...limit }),
  limitHeaders: ({ count, remaining }) => ({
    'x-ratelimit-max': String(count),
    'x-ratelimit-count': String(count - remaining),
  }),
  refusalOf,
  routes: [
    { on: 'GET /user', answer: user },
    { on: 'GET /profiles', answer: profiles },
    { on: 'GET /history', answer: sent },
    { on: 'GET /history/{}', answer: history },
    { on: 'POST /analytics/post', answer: postAnalytics },
    { on: 'POST /analytics/social', answer: socialAnalytics },
    ...webhookRoutes,
  ],
  unplayed: [
    ...['GET /analytics/links', 'GET /analytics/links-short', 'GET /links/{}', 'GET /comments/{}'],
    ...['GET /reviews', 'GET /post/{}', 'POST /post', 'GET /error-explainer'],
  ],
});

/** A request without `Profile-Key` is answered for the primary profile, as if that had been asked for. */
function accountOf({ headers, path }: Asking, accounts: Accounts<Settings>): Account<Settings> {
  const apiKey = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  const own = [...accounts.values()].filter(({ settings }) => settings.apiKey === apiKey);
  if (apiKey === undefined || own.length === 0) throw new Refusal(401, 'API Key not valid.');
  const key = headers['profile-key'];
  const primary = own.find(({ settings }) => settings.primary) ?? nobody(apiKey);
  const found = key === undefined ? primary : own.find((one) => keyOf(one) === key);
  if (!found) throw new Refusal(403, 'Profile Key not valid.');
  if (found.settings.suspended && path !== '/profiles') throw new Refusal(403, 'User Profile suspended.');
  return { ...found, ...(path === '/profiles' && { rows: () => own.map(listed) }) };
}

const keyOf = ({ name, settings }: Account<Settings>) => settings.profileKey ?? `${name}-key`;

function nobody(apiKey: string): Account<Settings> {
  return { name: 'primary', settings: shape.parse({ it: { apiKey } }).it as Settings, rows: () => [] };
}

function listed({ name, settings, rows }: Account<Settings>): Draft {
  const platforms = [...new Set(rows('accounts').map(({ platform }) => String(platform)))];
  const status = settings.suspended ? 'suspended' : 'active';
  return {
    _primary: settings.primary,
    ...{ refId: name, title: settings.title ?? name, status, activeSocialAccounts: platforms },
    ...{ created: '2026-01-05T10:00:00.000Z', createdUTC: '2026-01-05T10:00:00.000Z' },
  };
}

/** A message may begin with the code, and with the network: `156 [linkedin] LinkedIn is not linked.` */
function refusalOf(status: number, text: string): Draft {
  const [, given, platform, message] = /^(?:(\d{3})(?: |$))?(?:\[(\w+)\] )?(.*)$/s.exec(text) ?? [];
  const code = given === undefined && status === 429 ? 429 : given;
  return {
    ...{ action: 'request', status: 'error', ...(code !== undefined && { code: Number(code) }), message },
    ...(platform !== undefined && { platform }),
  };
}

function linked(asked: Question, at: number): Draft[] {
  const states = statesAt(asked, asked.account.rows('accounts'), at, ({ platform }) => String(platform));
  return states.filter(({ _unlinked }) => _unlinked !== true);
}

function user(asked: Question): Draft {
  const { at, ...times } = cached(asked);
  const { name, settings } = asked.account;
  const accounts = linked(asked, at);
  return {
    activeSocialAccounts: accounts.map(({ platform }) => platform),
    displayNames: accounts.map((row) => shown(row, 'analytics')),
    ...{ refId: name, title: settings.title ?? name, email: null, monthlyApiCalls: 1, monthlyPostCount: 0 },
    ...{ created: { _seconds: 1_730_000_000, _nanoseconds: 0, utc: '2024-10-27T03:33:20Z' }, ...times },
  };
}

function profiles(asked: Question): Draft {
  const { account, query } = asked;
  const wanted = query.get('refId');
  const all = account
    .rows('')
    .filter((row) => row._primary !== true && (wanted === null || row.refId === wanted));
  const { rows, next, count } = pageOf(asked, all, placeIn(asked, 'cursor', PROFILES_MAX, PROFILES_MAX));
  const more = next === undefined ? { hasMore: false } : { hasMore: true, nextCursor: cursorOf(next) };
  return { profiles: rows.map((row) => shown(row)), count, ...more };
}

function sent(asked: Question): Draft {
  const { at, ...times } = cached(asked);
  const { query, account } = asked;
  const [from, to] = ['startDate', 'endDate'].map((name) => query.get(name));
  const status = query.get('status');
  const rows = statesAt(asked, account.rows('sent'), at, ({ id }) => String(id)).filter((row) => {
    const created = Date.parse(String(row.created));
    if (status === null ? row.status === 'deleted' : row.status !== status) return false;
    return created <= at && (!from || created >= Date.parse(from)) && (!to || created <= Date.parse(to));
  });
  const found = wholeOf(asked, newestFirst(rows)).slice(0, limitOf(query, 25, SENT_MAX));
  const list = found.map((row) => ({ ...shown(row), refId: account.name }));
  return { history: list, count: list.length, refId: account.name, ...times };
}

function history(asked: Question): Draft {
  const { at, ...times } = cached(asked);
  const { query, account, ids } = asked;
  const [platform = ''] = ids;
  if (UNLISTED.has(platform)) throw new Refusal(400, `${platform} has no history`);
  const refusal = refusalFor(asked, platform, at);
  if (refusal) throw refused(refusal);
  const isStories = query.get('dataType') === 'stories';
  const rows = newestFirst(postsAt(asked, at)).filter(
    (row) =>
      row.platform === platform && (row._story === true) === isStories && (!isStories || isFresh(row, at)),
  );
  const page = pageOf(asked, rows, placeIn(asked, 'next', 10, HISTORY_MAX));
  const { next } = page;
  const pagination = next === undefined ? { hasMore: false } : { hasMore: true, next: cursorOf(next) };
  const found = page.rows.map((row) => shown(row, 'analytics', 'platform'));
  return { status: 'success', posts: found, refId: account.name, meta: { pagination }, ...times };
}

/** Where a page begins, by its cursor, and how many rows it has. */
function placeIn(asked: Question, param: 'next' | 'cursor', usual: number, most: number) {
  const cursor = asked.query.get(param);
  const size = limitOf(asked.query, usual, most);
  if (cursor === null) return { from: 0, size };
  assertCursor(asked, param);
  return { from: offsetOf(cursor), size };
}

const cursorOf = (offset: number) => Buffer.from(`o${offset}`).toString('base64url');

function offsetOf(cursor: string): number {
  const offset = Number(Buffer.from(cursor, 'base64url').toString().slice(1));
  if (!Number.isSafeInteger(offset)) throw new Refusal(400, 'Invalid cursor.');
  return offset;
}

/** Of a post that was sent through Ayrshare on each of its networks, or of one by its native id. */
function postAnalytics(asked: Question): Draft {
  const { at, ...times } = cached(asked);
  const { id, platforms, searchPlatformId } = asked.body;
  const named = Array.isArray(platforms) ? platforms.map(String) : undefined;
  const isNative = searchPlatformId === true;
  if (isNative && named?.length !== 1) throw new Refusal(400, 'A native id takes exactly one platform.');
  const ids = isNative ? [{ platform: named?.[0], id }] : sentIds(asked, String(id), at);
  const wanted = named ?? ids.map(({ platform }) => String(platform));
  const isOf = (row: Draft) => ids.some((one) => row.id === one.id && row.platform === one.platform);
  const found = postsAt(asked, at).filter(isOf);
  if (isNative && found.length === 0) throw new Refusal(404, '186 Post ID not found.');
  if (isNative && found.some((row) => row._story === true && !isFresh(row, at)))
    throw new Refusal(400, '485 The story has expired.');
  const answers = found.map(({ platform, id: native, postUrl, analytics }): [string, Draft] => [
    String(platform),
    { analytics, id: native, postUrl, ...times },
  ]);
  return { id, ...answerFor(asked, wanted, new Map(answers)) };
}

/** The posts of the networks of one that was sent. */
function sentIds(asked: Question, id: string, at: number): Draft[] {
  const sent = statesAt(asked, asked.account.rows('sent'), at, (row) => String(row.id));
  const found = sent.find((row) => row.id === id && Date.parse(String(row.created)) <= at);
  if (!found) throw new Refusal(404, '186 Post ID not found.');
  return Array.isArray(found.postIds) ? found.postIds : [];
}

function socialAnalytics(asked: Question): Draft {
  const { at, ...times } = cached(asked);
  const { platforms } = asked.body;
  if (!Array.isArray(platforms) || platforms.length === 0) throw new Refusal(400, 'platforms is required.');
  const wanted = platforms.map(String);
  const answers = linked(asked, at).map(({ platform, analytics }): [string, Draft] => [
    String(platform),
    { analytics, ...times },
  ]);
  return answerFor(asked, wanted, new Map(answers));
}

/** Partial if a network refuses; code 187 if none has anything. */
function answerFor(asked: Question, wanted: readonly string[], answers: ReadonlyMap<string, Draft>): Draft {
  const refusals = wanted
    .map((platform) => refusalFor(asked, platform, cached(asked).at))
    .filter((row) => row !== undefined);
  const refusing = new Set(refusals.map(({ platform }) => platform));
  const good = wanted.filter((platform) => !refusing.has(platform) && answers.get(platform)?.analytics);
  const [first] = refusals;
  if (good.length === 0 && first && wanted.length === 1) throw refused(first);
  if (good.length + refusals.length === 0)
    return { action: 'analytics', status: 'error', code: 187, message: 'No analytics data.' };
  return {
    ...{ status: refusals.length > 0 ? 'partial' : 'success', code: 200 },
    ...Object.fromEntries(good.map((platform) => [platform, answers.get(platform)])),
    ...(refusals.length > 0 && { errors: refusals.map((row) => refusalOf(400, textOf(row))) }),
  };
}

/** Why a network is not read: the scenario says so, X is asked without the keys of an app, or it is not linked. */
function refusalFor(asked: Question, platform: string, at: number): Draft | undefined {
  const told = asked.account.rows('refusals').findLast(({ platform: of, _at, _until }) => {
    const has = (time: unknown, not: number) => (typeof time === 'string' ? Date.parse(time) : not);
    return of === platform && has(_at, 0) <= at && at < has(_until, Number.POSITIVE_INFINITY);
  });
  if (told) return told;
  if (platform === 'twitter' && X_HEADERS.some((name) => !asked.headers[name]))
    return {
      platform,
      message: `X demands the keys of your own app, in the headers ${X_HEADERS.join(', ')}.`,
    };
  if (linked(asked, at).some((one) => one.platform === platform)) return undefined;
  return { platform, code: 156, message: `${platform} is not linked.` };
}

/** Of a network that is throttled 429, though the profile is not. */
function refused(row: Draft): Refusal {
  return new Refusal(row.code === 444 ? 429 : 400, textOf(row));
}

function textOf({ code, platform, message }: Draft): string {
  const told = `[${platform}] ${message ?? 'was told to refuse'}`;
  return code === undefined ? told : `${code} ${told}`;
}

function postsAt(asked: Question, at: number): Draft[] {
  const rows = asked.account.rows('posts').filter(({ created }) => Date.parse(String(created)) <= at);
  // Lines without `_at` are rows of their own: real data repeat some.
  const dated = rows.filter(({ _at }) => _at !== undefined);
  const ids = new Set(dated.map((row) => `${row.platform} ${row.id}`));
  const plain = rows.filter((row) => !ids.has(`${row.platform} ${row.id}`));
  const changing = rows.filter((row) => ids.has(`${row.platform} ${row.id}`));
  return [...plain, ...statesAt(asked, changing, at, (row) => `${row.platform} ${row.id}`)];
}

function isFresh({ created }: Draft, at: number): boolean {
  return at - Date.parse(String(created)) < STORY_MS;
}

function newestFirst(rows: readonly Draft[]): Draft[] {
  const timeOf = ({ created }: Draft) => Date.parse(String(created));
  return rows.toSorted((one, other) => timeOf(other) - timeOf(one));
}

function limitOf(query: URLSearchParams, usual: number, most: number): number {
  const limit = Number(query.get('limit') ?? usual);
  if (!Number.isInteger(limit) || limit < 1 || limit > most) throw new Refusal(400, 'limit is not valid.');
  return limit;
}
