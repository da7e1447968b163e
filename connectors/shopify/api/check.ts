/** Tries the key of a connection and says what it may read, before anything is synced. */

import type { Stream } from '../../kit/stream.ts';
import { ALL_ORDERS, assertShop, hiddenOrders, isGranted, missingScopes, readAccess } from './access.ts';
import { openShopify, type ShopifyContext } from './client.ts';
import { API_VERSION } from './queries.ts';

export type ConnectionCheck = {
  account: { name: string; domain: string; currency: string; timeZone: string; createdAt: Date };
  apiVersion: string;
  scopes: readonly string[];
  /** What each stream lacks; a stream that lacks something cannot be read. */
  missing: readonly { stream: string; scopes: readonly string[] }[];
  /** What a person should know although the connection works. */
  warnings: readonly string[];
};

export async function checkShopify(
  context: Omit<ShopifyContext, 'warn'>,
  streams: readonly Stream[],
  now: Date,
): Promise<ConnectionCheck> {
  const warnings: string[] = [];
  const access = await readAccess(openShopify({ ...context, warn: (warning) => warnings.push(warning) }));
  await assertShop(access, context.connection, context.db);
  const missing = streams
    .map(({ name, scopes }) => ({ stream: name, scopes: missingScopes(access, scopes) }))
    .filter(({ scopes }) => scopes.length > 0);
  const hidden = hiddenOrders(access, now);
  if (hidden) warnings.push(hidden);
  for (const { name, scopesOptional = [] } of streams) {
    const lacking = scopesOptional.filter(
      (scope) => scope !== ALL_ORDERS && !isGranted(access.scopes, scope),
    );
    if (lacking.length > 0) warnings.push(`${name} leaves out what needs ${lacking.join(', ')}`);
  }
  const { shop: name, domain, currency, timeZone, createdAt, scopes } = access;
  return {
    account: { name, domain, currency, timeZone, createdAt },
    apiVersion: API_VERSION,
    scopes,
    missing,
    warnings,
  };
}
