/** Checks the key of a connection and its permissions before anything is synced. */

import type { ConnectionCheck, RequestContext } from '../../kit/provider.ts';
import type { Stream } from '../../kit/stream.ts';
import { ALL_ORDERS, assertShop, hiddenOrders, isGranted, missingScopes, readAccess } from './access.ts';
import { openShopify } from './client.ts';
import { API_VERSION } from './queries.ts';

export async function checkShopify(
  context: Omit<RequestContext, 'warn'>,
  streams: readonly Stream[],
): Promise<ConnectionCheck> {
  const warnings: string[] = [];
  const access = await readAccess(openShopify({ ...context, warn: (warning) => warnings.push(warning) }));
  await assertShop(access, context.connection, context.db);
  const missing = streams
    .map(({ name, scopes }) => ({ stream: name, scopes: missingScopes(access, scopes) }))
    .filter(({ scopes }) => scopes.length > 0);
  const hidden = hiddenOrders(access, context.now());
  if (hidden) warnings.push(hidden);
  for (const { name, scopesOptional = [] } of streams) {
    const lacking = scopesOptional.filter(
      (scope) => scope !== ALL_ORDERS && !isGranted(access.scopes, scope),
    );
    if (lacking.length > 0) warnings.push(`${name} omits what needs ${lacking.join(', ')}`);
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
