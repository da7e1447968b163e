/** Checks the keys of a connection, and what is linked to its profile, before anything is synced. */
import { quote, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { AccountDiffers } from '../../kit/errors.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import type { ConnectionCheck, RequestContext } from '../../kit/provider.ts';
import { PROVIDER } from '../key.ts';
import { type Ayrshare, type Got, openAyrshare } from './client.ts';

/** LinkedIn forgets a link after a year. */
export const REFRESH_DAYS_MIN = 30;

export const X_UNREAD =
  'X is linked and not read: it demands the keys of an app of its own (connections key, with --auth profile_and_x)';

/** Throws NS_ACCOUNT_DIFFERS if the keys are of another profile, or name none. */
export async function getUser(ayrshare: Ayrshare): Promise<Got> {
  const got = await ayrshare.get('/user');
  const { account } = ayrshare.connection;
  if (typeof got.body.refId !== 'string')
    throw new AccountDiffers(PROVIDER, account, '', ayrshare.connection);
  return got;
}

/** The linked networks that can be read. */
export function linkedIn({ activeSocialAccounts }: Fields, { hasX }: Pick<Ayrshare, 'hasX'>): string[] {
  const all = Array.isArray(activeSocialAccounts) ? activeSocialAccounts : [];
  return [...new Set(all.filter((one) => typeof one === 'string' && /^[a-z]{1,30}$/.test(one)))]
    .filter((one) => hasX || one !== 'twitter')
    .sort();
}

/** What a person should know of links that work. */
export function warningsOf(user: Fields, { hasX }: Pick<Ayrshare, 'hasX'>): string[] {
  const isXUnread = !hasX && linkedIn(user, { hasX: true }).includes('twitter');
  return [
    ...accountsOf(user).flatMap(({ platform, refreshDaysRemaining: days }) =>
      typeof days === 'number' && days < REFRESH_DAYS_MIN
        ? `the link to ${quote(platform, VALUE_CHARS_MAX)} expires in ${days} days: link it again in Ayrshare`
        : [],
    ),
    ...(isXUnread ? [X_UNREAD] : []),
  ];
}

export function accountsOf({ displayNames }: Fields): Fields[] {
  return Array.isArray(displayNames) ? displayNames.filter(isObject) : [];
}

export async function checkAyrshare(context: Omit<RequestContext, 'warn'>): Promise<ConnectionCheck> {
  const ayrshare = openAyrshare(context);
  const { body: user } = await getUser(ayrshare);
  const { account } = context.connection;
  return {
    account: {
      name: typeof user.title === 'string' ? user.title : account,
      ...{ domain: account, currency: 'unknown', timeZone: 'UTC' },
      createdAt: createdAt(user.created),
    },
    apiVersion: 'unversioned',
    scopes: linkedIn(user, ayrshare),
    missing: [],
    warnings: warningsOf(user, ayrshare),
  };
}

/** Seen as text and as an object with seconds. */
function createdAt(created: unknown): Date {
  const given = isObject(created) ? Number(created._seconds) * 1000 : String(created);
  const date = new Date(given);
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}
