/** SendGrid v3 out of tables: what stands in the files of an account, or follows from its events. */
import { type Account, type Accounts, type Asked, type Asking, declare, Refusal } from '../tables/declare.ts';
import {
  byToken,
  categories,
  groupMembers,
  rows,
  singleSend,
  singleSends,
  subusers,
  suppressed,
  wholeList,
} from './lists.ts';
import { listLogs, oneLog } from './logs.ts';
import { eventsOf, sendMail } from './sent.ts';
import { FILES, type Settings, shape } from './settings.ts';
import { categorySums, sendDays, sendTotals, statistics } from './stats.ts';
import { WEBHOOK_SCOPES, webhookRoutes } from './webhooks.ts';

type Question = Asked<Settings>;

const TEMPLATES_MAX = 200;
/** What the pages name for statistics; the `categories[]` of some clients is not among it. */
const DAYS = ['start_date', 'end_date', 'aggregated_by'];
const PAGING = ['limit', 'offset'];
const UNPLAYED = [
  ...['mailbox_providers', 'geo', 'devices', 'clients', 'browsers'].map((of) => `GET /v3/${of}/stats`),
  ...['GET /v3/clients/{}/stats', 'GET /v3/subusers/stats/sums', 'GET /v3/subusers/stats/monthly'],
  ...['automations', 'automations/{}', 'automations/{}/links', 'automations/export'].map(
    (path) => `GET /v3/marketing/stats/${path}`,
  ),
  ...['GET /v3/marketing/stats/singlesends/{}/links', 'GET /v3/marketing/stats/singlesends/export'],
  ...['POST /v3/marketing/singlesends/search', 'GET /v3/suppression/bounces/classifications'],
  ...['GET /v3/suppression/bounces/classifications/{}', 'GET /v3/messages', 'GET /v3/messages/{}'],
  ...['POST /v3/messages/download', 'POST /v3/mail/batch', 'POST /v3/user/webhooks/event/test'],
];
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
    {
      on: 'GET /v3/stats',
      needs: 'stats.read',
      query: [...DAYS, ...PAGING],
      answer: (asked) => statistics(asked, 'global', ['']),
    },
    {
      on: 'GET /v3/categories/stats',
      needs: 'categories.stats.read',
      query: [...DAYS, 'categories'],
      answer: (asked) => statistics(asked, 'category', asked.query.getAll('categories')),
    },
    {
      on: 'GET /v3/categories/stats/sums',
      needs: 'categories.stats.read',
      query: [...DAYS, ...PAGING, 'sort_by_metric', 'sort_by_direction'],
      answer: categorySums,
    },
    {
      on: 'GET /v3/subusers/stats',
      needs: 'subusers.stats.read',
      query: [...DAYS, ...PAGING, 'subusers'],
      answer: (asked) => statistics(asked, 'subuser', asked.query.getAll('subusers')),
    },
    { on: 'GET /v3/categories', needs: 'categories.read', answer: categories },
    { on: 'GET /v3/subusers', needs: 'subusers.read', answer: subusers },
    ...['bounces', 'blocks', 'invalid_emails', 'spam_reports', 'unsubscribes'].map((list) => ({
      on: `GET /v3/suppression/${list}`,
      needs: 'suppression.read',
      answer: (asked: Question) => suppressed(asked, list),
    })),
    { on: 'GET /v3/asm/groups', needs: 'asm.groups.read', answer: (asked) => wholeList(asked, 'asm_groups') },
    {
      on: 'GET /v3/asm/suppressions',
      needs: 'asm.groups.read',
      answer: (asked) => wholeList(asked, 'asm_suppressions'),
    },
    { on: 'GET /v3/asm/groups/{}/suppressions', needs: 'asm.groups.read', answer: groupMembers },
    {
      on: 'GET /v3/templates',
      needs: 'templates.read',
      answer: (asked) => byToken(asked, rows(asked, 'templates'), { list: 'result', most: TEMPLATES_MAX }),
    },
    { on: 'GET /v3/marketing/singlesends', needs: 'marketing.read', answer: singleSends },
    { on: 'GET /v3/marketing/singlesends/{}', needs: 'marketing.read', answer: singleSend },
    { on: 'GET /v3/marketing/stats/singlesends', needs: 'marketing.read', answer: sendTotals },
    { on: 'GET /v3/marketing/stats/singlesends/{}', needs: 'marketing.read', answer: sendDays },
    { on: 'POST /v3/mail/send', needs: 'mail.send', answer: sendMail },
    { on: 'POST /v3/logs', needs: 'messages.read', answer: listLogs },
    { on: 'GET /v3/logs/{}', needs: 'messages.read', answer: oneLog },
    ...webhookRoutes,
  ],
  unplayed: UNPLAYED,
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
