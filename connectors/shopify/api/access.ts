/** Checks what the key of a connection may read before anything is read, because Shopify omits hidden data silently. */
import { z } from 'zod';
import type { Connection } from '#sql/tenants/connections.ts';
import type { PersonOf } from '#sql/tenants/persons.ts';
import { AccountDiffers, Denied, type Named } from '../../kit/errors.ts';
import { storedRows } from '../../kit/stored/stored.ts';
import type { ConnectorDb } from '../../kit/stream.ts';
import { PROVIDER } from './answers.ts';
import type { Shopify } from './client.ts';
import { idOf } from './gid.ts';
import { accessQuery } from './queries.ts';

const ORDERS_VISIBLE_DAYS = 60;
const DAY_MS = 24 * 60 * 60_000;
export const ALL_ORDERS = 'read_all_orders';

const accessSchema = z.object({
  shop: z.object({
    id: z.string(),
    name: z.string(),
    myshopifyDomain: z.string(),
    currencyCode: z.string(),
    ianaTimezone: z.string(),
    createdAt: z.coerce.date(),
  }),
  currentAppInstallation: z.object({ accessScopes: z.array(z.object({ handle: z.string() })) }),
});

export type Access = {
  shopId: string;
  scopes: readonly string[];
  shop: string;
  domain: string;
  currency: string;
  timeZone: string;
  createdAt: Date;
  /** The digest of an e-mail address, if the connection reads persons. */
  personOf?: PersonOf;
};

export async function readAccess(shopify: Shopify): Promise<Access> {
  const { shop, currentAppInstallation } = await shopify.ask(accessQuery, {}, accessSchema);
  return {
    shopId: idOf(shop),
    scopes: currentAppInstallation.accessScopes.map(({ handle }) => handle).sort(),
    shop: shop.name,
    domain: shop.myshopifyDomain,
    currency: shop.currencyCode,
    timeZone: shop.ianaTimezone,
    createdAt: shop.createdAt,
  };
}

/**
 * Throws NS_ACCOUNT_DIFFERS if another shop than that of the connection answers. A renamed shop is identified by its
 * stored id.
 */
export async function assertShop(
  { domain, shopId }: Access,
  connection: Named & Pick<Connection, 'account' | 'brandId'>,
  db: Pick<ConnectorDb, 'query'>,
): Promise<void> {
  const { account, brandId, id } = connection;
  if (domain.toLowerCase() === account.toLowerCase()) return;
  const rows = await storedRows({ connection: { brandId, id }, db }, 'raw.shopify_shops', [shopId]);
  if (rows.length === 0) throw new AccountDiffers(PROVIDER, account, domain, connection);
}

/** A write permission includes the read permission. */
export function isGranted(scopes: readonly string[], scope: string): boolean {
  return scopes.includes(scope) || scopes.includes(scope.replace(/^read_/, 'write_'));
}

export function missingScopes({ scopes }: Access, needed: readonly string[]): string[] {
  return needed.filter((scope) => !isGranted(scopes, scope));
}

export function assertScopes(access: Access, connection: Named, needed: readonly string[]): void {
  const missing = missingScopes(access, needed);
  if (missing.length > 0) throw new Denied(PROVIDER, connection, 'the key lacks it', missing.join(', '));
}

/** Why orders are missing without an error, if so. */
export function hiddenOrders(access: Access, now: Date): string | undefined {
  if (isGranted(access.scopes, ALL_ORDERS)) return undefined;
  if (now.getTime() - access.createdAt.getTime() <= ORDERS_VISIBLE_DAYS * DAY_MS) return undefined;
  return `Shopify shows only the orders of the last ${ORDERS_VISIBLE_DAYS} days without the scope ${ALL_ORDERS}`;
}
