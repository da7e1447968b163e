/** Who asks: the key, its account, and the account that it acts for. */
import type { IncomingMessage } from 'node:http';
import { isLive, type Key, type StripeAccount, type StripeWorld } from '../objects.ts';
import { StripeError } from './stripe_error.ts';

export type Caller = {
  key: Key;
  /** The account whose objects are asked for. */
  account: StripeAccount;
  livemode: boolean;
};

/** Throws a StripeError when the key is not good, or may not act for the account that is named. */
export function callerOf(request: IncomingMessage, world: StripeWorld): Caller {
  const text = givenKey(request);
  if (text === undefined) throw new StripeError(401, NO_KEY);
  if (text.startsWith('pk_')) {
    throw new StripeError(403, PUBLISHABLE, { code: 'secret_key_required' });
  }
  const owner = [...world.values()].find(({ keys }) => keys.some((key) => key.text === text));
  const key = owner?.keys.find((one) => one.text === text);
  if (!owner || !key) throw new StripeError(401, `Invalid API Key provided: ${masked(text)}`);
  if (key.expired) throw expiredKey(text);
  return { key, account: actingFor(request, owner, key, world), livemode: isLive(text) };
}

export function expiredKey(text: string): StripeError {
  return new StripeError(401, `Expired API Key provided: ${masked(text)}`, { code: 'api_key_expired' });
}

function actingFor(
  request: IncomingMessage,
  owner: StripeAccount,
  key: Key,
  world: StripeWorld,
): StripeAccount {
  const named = request.headers['stripe-account'];
  if (named === undefined || named === owner.id) return owner;
  const account = world.get(String(named));
  if (account && owner.connected.includes(account.id)) return account;
  throw new StripeError(
    403,
    `The provided key '${masked(key.text)}' does not have access to account '${named}' (or that account does not exist). Application access may have been revoked.`,
    { code: 'account_invalid' },
  );
}

export function assertMay({ key, account }: Caller, permission: string): void {
  if (key.permissions === undefined || key.permissions.has(permission)) return;
  throw new StripeError(
    403,
    `The provided key '${masked(key.text)}' does not have the required permissions for this endpoint on account '${account.id}'. Having the '${permission}' permission would allow this request to continue.`,
    { code: 'more_permissions_required' },
  );
}

function givenKey(request: IncomingMessage): string | undefined {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() === 'bearer') return value || undefined;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  return Buffer.from(value, 'base64').toString('utf8').split(':')[0] || undefined;
}

/** `rk_test_********acme`: enough to tell keys apart in a message, and no more. */
function masked(key: string): string {
  const prefix = /^[a-z]+_(?:(?:live|test)_)?/.exec(key)?.[0] ?? '';
  return `${prefix}${'*'.repeat(8)}${key.slice(prefix.length).slice(-4)}`;
}

const NO_KEY =
  "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
const PUBLISHABLE =
  'This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.';
