/** SendGrid v3 out of tables: what stands in the files of an account, or follows from its events. */
import type { Draft } from '../ndjson.ts';
import { type Account, type Accounts, type Asked, type Asking, declare, Refusal } from '../tables/declare.ts';
import { toLocalDay } from '../zone.ts';
import { listLogs, oneLog } from './logs.ts';
import { eventsOf, sendMail } from './sent.ts';
import { FILES, type Settings, secondsOf, shape } from './settings.ts';
import { METRICS, noCounts, SEND_METRICS, statisticsOf } from './statistics.ts';
import { WEBHOOK_SCOPES, webhookRoutes } from './webhooks.ts';

type Question = Asked<Settings>;

const DAY_MS = 86_400_000;
const DAYS_MAX = 2_000;
const NAMES_MAX = 10;
const PAGE_MAX = 500;
const EU_HOST = 'sendgrid-eu';
const GLOBAL_ONLY = /^\/v3\/(marketing|messages|geo)\b/;

export const SCOPES = [
  ...['stats.read', 'stats.global.read', 'categories.read', 'categories.stats.read', 'subusers.read'],
  ...['subusers.stats.read', 'marketing.read', 'suppression.read', 'asm.groups.read', 'templates.read'],
  ...['messages.read', 'user.username.read', 'mail.send'],
  ...WEBHOOK_SCOPES,
];

const scopesOf = ({ settings }: Account<Settings>) => settings.scopes ?? SCOPES;

export const sendgrid = declare<Settings>({
  name: 'sendgrid',
  title: 'SendGrid',
  hosts: ['sendgrid', EU_HOST],
  shape,
  files: FILES,
  accountOf,
  may: (account, scope) => scopesOf(account).includes(scope),
  limitOf: ({ name, settings: { limit } }, route) => limit && { key: `${name} ${route}`, ...limit },
  limitHeaders: ({ count, remaining, resetSeconds }) => ({
    'x-ratelimit-limit': String(count),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': String(resetSeconds),
  }),
  refusalOf: (_, message) => ({ errors: [{ field: null, message, help: null }], id: 'sandbox' }),
  routes: [
    { on: 'GET /v3/scopes', answer: ({ account }) => ({ scopes: scopesOf(account) }) },
    {
      on: 'GET /v3/user/username',
      needs: 'user.username.read',
      answer: ({ account: { name } }) => ({ username: name, user_id: 1 }),
    },
    { on: 'GET /v3/stats', needs: 'stats.read', answer: (asked) => statistics(asked, 'global', ['']) },
    {
      on: 'GET /v3/categories/stats',
      needs: 'categories.stats.read',
      answer: (asked) => statistics(asked, 'category', asked.query.getAll('categories')),
    },
    {
      on: 'GET /v3/subusers/stats',
      needs: 'subusers.stats.read',
      answer: (asked) => statistics(asked, 'subuser', asked.query.getAll('subusers')),
    },
    { on: 'GET /v3/categories', needs: 'categories.read', answer: categories },
    {
      on: 'GET /v3/subusers',
      needs: 'subusers.read',
      answer: (asked) => byOffset(asked, subusers(asked)),
    },
    ...['bounces', 'blocks', 'invalid_emails', 'spam_reports', 'unsubscribes'].map((list) => ({
      on: `GET /v3/suppression/${list}`,
      needs: 'suppression.read',
      answer: (asked: Question) => suppressed(asked, list),
    })),
    { on: 'GET /v3/asm/groups', needs: 'asm.groups.read', answer: (asked) => rows(asked, 'asm_groups') },
    {
      on: 'GET /v3/asm/suppressions',
      needs: 'asm.groups.read',
      answer: (asked) => rows(asked, 'asm_suppressions'),
    },
    {
      on: 'GET /v3/templates',
      needs: 'templates.read',
      answer: (asked) => byToken(asked, rows(asked, 'templates'), 'result'),
    },
    {
      on: 'GET /v3/marketing/singlesends',
      needs: 'marketing.read',
      answer: (asked) => byToken(asked, marketing(asked).map(shortSend), 'result'),
    },
    { on: 'GET /v3/marketing/singlesends/{}', needs: 'marketing.read', answer: singleSend },
    {
      on: 'GET /v3/marketing/stats/singlesends',
      needs: 'marketing.read',
      answer: (asked) => {
        const wanted = asked.query.get('singlesend_ids')?.split(',');
        const ids = wanted ?? marketing(asked).map(({ id }) => String(id));
        return byToken(
          asked,
          ids.map((id) => sendRow(asked, id)),
          'results',
        );
      },
    },
    { on: 'GET /v3/marketing/stats/singlesends/{}', needs: 'marketing.read', answer: sendDays },
    { on: 'POST /v3/mail/send', needs: 'mail.send', answer: sendMail },
    { on: 'POST /v3/logs', needs: 'messages.read', answer: listLogs },
    { on: 'GET /v3/logs/{}', needs: 'messages.read', answer: oneLog },
    ...webhookRoutes,
  ],
});

function accountOf({ host, path, headers }: Asking, accounts: Accounts<Settings>): Account<Settings> {
  const key = /^Bearer (SG\..+)$/.exec(headers.authorization ?? '')?.[1];
  const region = host === EU_HOST ? 'eu' : 'global';
  const owner = [...accounts.values()].find(
    ({ name, settings }) =>
      (settings.key ?? `SG.sandbox_${name}.key`) === key && settings.parent === undefined,
  );
  const behalf = headers['on-behalf-of'];
  const account = behalf === undefined ? owner : accounts.get(String(behalf));
  if (!owner || account?.settings.region !== region) throw new Refusal(401, 'authorization required');
  if (account !== owner && account.settings.parent !== owner.name) throw new Refusal(403, 'access forbidden');
  if (region === 'eu' && GLOBAL_ONLY.test(path)) throw new Refusal(404, 'not found');
  return path.startsWith('/v3/logs') ? withLogs(account, accounts) : account;
}

/** Logs of a subuser are its parent's to ask for, by the subuser's number: `subuser NUMBER` are its events. */
function withLogs(account: Account<Settings>, accounts: Accounts<Settings>): Account<Settings> {
  if (account.settings.parent !== undefined) throw new Refusal(403, 'access forbidden');
  const ofSubuser = (number: string) => {
    const found = account.rows('subusers').find(({ id }) => String(id) === number);
    const subuser = accounts.get(String(found?.username));
    return subuser === undefined ? [] : eventsOf(subuser);
  };
  const rows = (file: string) => {
    const number = /^subuser (.+)$/.exec(file)?.[1];
    return number === undefined ? account.rows(file) : ofSubuser(number);
  };
  return { ...account, rows };
}

function subusers(asked: Question): Draft[] {
  const wanted = asked.query.get('username');
  return rows(asked, 'subusers').filter(({ username }) => wanted === null || username === wanted);
}

/** Rows that are there by now; one with `_at` appears then, and an id may stand on several lines. */
function rows({ account, now }: Question, file: string): Draft[] {
  const found = new Map<unknown, Draft>();
  for (const { _at, ...row } of account.rows(file)) {
    if (_at !== undefined && Date.parse(String(_at)) > now) continue;
    found.set(row.id === undefined ? row : row.id, row);
  }
  return [...found.values()].filter(({ _deleted }) => !_deleted);
}

function byOffset({ query }: Question, all: readonly Draft[], limit = 50): Draft[] {
  const size = Number(query.get('limit') ?? limit);
  if (!(size >= 1 && size <= PAGE_MAX)) throw new Refusal(400, 'invalid limit');
  const from = Number(query.get('offset') ?? 0);
  return all.slice(from, from + size);
}

/** The full address of the next page, as SendGrid gives it, on its own host. */
function byToken({ query, path }: Question, all: readonly unknown[], list: string): unknown {
  const size = Number(query.get('page_size') ?? 25);
  const from = Number(query.get('page_token') ?? 0);
  const next = from + size;
  const address = (token: number) => `https://api.sendgrid.com${path}?page_size=${size}&page_token=${token}`;
  const more = next < all.length ? { next: address(next) } : {};
  return { [list]: all.slice(from, next), _metadata: { self: address(from), count: all.length, ...more } };
}

function statistics(asked: Question, kind: string, names: readonly string[]): unknown {
  const { account, query, now } = asked;
  if (kind !== 'global' && (names.length < 1 || names.length > NAMES_MAX))
    throw new Refusal(400, `1 to ${NAMES_MAX} names are needed`);
  const { zone } = account.settings;
  const counted = statisticsOf(account)(kind, zone, now);
  return daysOf(query, toLocalDay(now, zone)).map((date) => ({
    date,
    stats: names.map((name) => ({
      ...(kind !== 'global' && { type: kind, name }),
      metrics: { ...noCounts(METRICS), ...counted.get(name)?.get(date) },
    })),
  }));
}

/** The days that were asked for, up to today. */
function daysOf(query: URLSearchParams, today: string): string[] {
  const start = query.get('start_date') ?? '';
  const end = query.get('end_date') ?? today;
  if (!/^\d{4}-\d\d-\d\d$/.test(start)) throw new Refusal(400, 'start_date is needed as YYYY-MM-DD');
  const days: string[] = [];
  for (let at = Date.parse(start); days.length < DAYS_MAX; at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    if (day > end || day > today) break;
    days.push(day);
  }
  return days;
}

function categories(asked: Question): unknown {
  const named = statisticsOf(asked.account)('category', 'UTC', asked.now).keys();
  return byOffset(
    asked,
    [...named].sort().map((category) => ({ category })),
  );
}

/** As given; else those that the events bring. */
function suppressed(asked: Question, list: string): Draft[] {
  const { query, now } = asked;
  const given = rows(asked, list);
  const [from, to] = [Number(query.get('start_time') ?? 0), Number(query.get('end_time') ?? now / 1000)];
  const all = given.length > 0 ? given : eventsOf(asked.account).flatMap((event) => entryOf(event, list));
  return byOffset(
    asked,
    all.filter(({ created }) => Number(created) >= from && Number(created) <= to),
    PAGE_MAX,
  );
}

function entryOf(event: Draft, list: string): Draft[] {
  const isBlock = event.type === 'blocked';
  const of: Record<string, string> = { spamreport: 'spam_reports', unsubscribe: 'unsubscribes' };
  const own = event.event === 'bounce' ? (isBlock ? 'blocks' : 'bounces') : of[String(event.event)];
  if (own !== list) return [];
  const { email, reason = '', status = '' } = event;
  return [{ created: secondsOf(event), email, ...(event.event === 'bounce' && { reason, status }) }];
}

/** Its single sends; without the plan there are none to ask for. */
function marketing(asked: Question): Draft[] {
  return asked.account.settings.marketing ? rows(asked, 'singlesends') : [];
}

function shortSend({ send_to: _, email_config: __, ...short }: Draft): Draft {
  return { categories: [], send_at: null, is_abtest: false, abtest: null, ...short };
}

function singleSend(asked: Question): unknown {
  const found = marketing(asked).find(({ id }) => id === asked.ids[0]);
  if (!found) throw new Refusal(404, 'not found');
  return {
    ...shortSend(found),
    send_to: { list_ids: [], segment_ids: [], all: true },
    email_config: {},
    ...found,
  };
}

function sendRow({ account, now }: Question, id: string, day?: string, zone = 'UTC'): unknown {
  const byDay = statisticsOf(account)('singlesend', zone, now).get(id) ?? new Map();
  const counts = noCounts(SEND_METRICS);
  for (const [date, metrics] of byDay)
    for (const metric of SEND_METRICS)
      if (day === undefined || date === day) counts[metric] = (counts[metric] ?? 0) + (metrics[metric] ?? 0);
  return { id, ab_variation: 'all', ab_phase: 'all', aggregation: day ?? 'total', stats: counts };
}

function sendDays(asked: Question): unknown {
  const [id = ''] = asked.ids;
  const { query, now } = asked;
  if (!marketing(asked).some((send) => send.id === id)) throw new Refusal(404, 'not found');
  if (query.get('aggregated_by') !== 'day') return byToken(asked, [sendRow(asked, id)], 'results');
  const zone = query.get('timezone') ?? 'UTC';
  const days = daysOf(query, toLocalDay(now, zone));
  return byToken(
    asked,
    days.map((day) => sendRow(asked, id, day, zone)),
    'results',
  );
}
