/**
 * The accounts of the sandbox as connections of the demo: a shop for each retailer, the Stripe account that took its
 * payments and its profile on social networks; the club, a retailer of made-up subscriptions; and the mail of them all.
 */
import type { NewConnection } from '#sql/tenants/connections.ts';
import type { SandboxPlaces } from './sandbox_process.ts';

export const BRAND = 'giftware';
export const TIME_ZONE = 'Europe/London';
/** Its subscriptions are invented; the orders of all others are real. */
export const CLUB = 'club';

export type Account = Omit<NewConnection, 'brandId' | 'retailerId' | 'actor' | 'baseUrl'> & {
  baseUrl: string;
  /** The retailer whose it is; null: the brand's. */
  owner: string | null;
  /** Retailers by the part of it that is theirs. */
  parts?: Record<string, string>;
};

const ACCOUNT_PREFIX = 'acct_giftware';
/** With Stripe's own limit a year of one account would take half a minute; the sandbox has none. */
const REQUESTS_PER_SECOND = 500;

// The keys are the sandbox's own, docs/sandbox.md.

/**
 * In the order in which they are read: first the mail, of which each letter is a request, then one retailer after the other, so
 * that the figures of the first and largest are computed while others are still read.
 */
export function accountsOf(places: SandboxPlaces): Account[] {
  const shops = shopsOf(places);
  const retailers = shops.flatMap(({ owner }) => owner ?? []);
  const accounts = [...shops, ...stripeOf(places), ...socialOf(places)];
  const ofRetailer = (retailer: string) => accounts.filter(({ name }) => name.endsWith(`-${retailer}`));
  return [...mailOf(places, retailers), ...[...retailers, CLUB].flatMap(ofRetailer)];
}

function shopsOf({ shops }: SandboxPlaces): Account[] {
  return shops.map(({ name, domain: account, baseUrl }) => {
    const owner = name.replace(`${BRAND}-`, '');
    const secret = `shpat_sandbox_giftware_${owner}`;
    return { owner, name, provider: 'shopify', account, baseUrl, auth: 'token', secret };
  });
}

/** Without the brand's own account, which is empty. */
function stripeOf({ stripe }: SandboxPlaces): Account[] {
  return stripe.flatMap(({ account, baseUrl }) => {
    const owner = account.replace(ACCOUNT_PREFIX, '');
    if (owner === '') return [];
    const secret = `rk_test_sandbox_giftware_${owner}`;
    const where = { provider: 'stripe', account, baseUrl, auth: 'key', secret };
    return [{ owner, name: `stripe-${owner}`, ...where, requestsPerSecond: REQUESTS_PER_SECOND }];
  });
}

/** One account of the brand, with a category for each retailer. */
function mailOf({ sendgrid }: SandboxPlaces, retailers: readonly string[]): Account[] {
  const parts = Object.fromEntries(retailers.map((retailer) => [`category:${retailer}`, retailer]));
  return sendgrid.map(({ account, baseUrls: [baseUrl = ''] }) => ({
    ...{ owner: null, parts, name: 'mail', provider: 'sendgrid', account, baseUrl },
    ...{ auth: 'key', secret: 'SG.sandbox_giftware.key', accountZone: TIME_ZONE },
  }));
}

function socialOf({ ayrshare }: SandboxPlaces): Account[] {
  return ayrshare.map(({ account, baseUrls: [baseUrl = ''] }) => {
    const retailer = account.replace(`${BRAND}-`, '');
    const secret = JSON.stringify({ api_key: 'sandbox-giftware', profile_key: `${account}-key` });
    const where = { provider: 'ayrshare', account, baseUrl, auth: 'profile', secret };
    return { owner: null, parts: { [account]: retailer }, name: `social-${retailer}`, ...where };
  });
}
