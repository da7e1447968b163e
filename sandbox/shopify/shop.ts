import type { Rates } from '../ecb/rates.ts';
import type { Plain } from '../plain.ts';
import type { StripeWorld } from '../stripe/objects.ts';
import type { Accounts } from '../tables/declare.ts';

/** Root connections whose rows a shop holds as a list. */
export const ROOT_LISTS = [
  'orders',
  'customers',
  'products',
  'productVariants',
  'inventoryItems',
  'locations',
  'events',
] as const;
export type RootList = (typeof ROOT_LISTS)[number];

/** `refreshToken`: the first one of an app whose tokens are renewed with it. */
export type ClientCredentials = {
  id: string;
  secret: string;
  lifeSeconds: number;
  refreshToken?: string | undefined;
};

export type ShopSettings = {
  /** The part of the domain before `.myshopify.com`. */
  name: string;
  currency: string;
  zone: string;
  taxesIncluded: boolean;
  tokens: string[];
  clients: ClientCredentials[];
  scopes: string[];
  bucket: { size: number; restoreRate: number };
};

/** A shop and everything that it can be asked for. */
export type Shop = ShopSettings & {
  domain: string;
  /** The `Shop` object of the API. */
  self: Plain;
  lists: Record<RootList, readonly Plain[]>;
  /** Any object of the shop by its gid, also those that stand below others. */
  find(id: string): Plain | undefined;
  /** The state before the present one, where the scenario gives one. */
  older(id: string): Plain | undefined;
};

/** All that the sandbox serves; replaced as a whole by a load. */
export type World = {
  source: string;
  /** Fixed instant as which the providers answer; without it, the real clock. */
  now: number | undefined;
  shops: Map<string, Shop>;
  stripe: StripeWorld;
  /** Of the providers that are played out of tables, by name. */
  tables: Map<string, Accounts>;
  /** Read when first asked for. */
  rates: () => Promise<Rates>;
  warnings: string[];
};

export const ALL_SCOPES = [
  'read_orders',
  'read_all_orders',
  'read_customers',
  'read_products',
  'read_inventory',
  'read_locations',
];

/** Type and number of a gid such as `gid://shopify/Order/1001`. */
export function splitGid(id: string): { type: string; key: string } | undefined {
  const match = /^gid:\/\/shopify\/([A-Za-z]+)\/([^?]+)/.exec(id);
  return match?.[1] && match[2] ? { type: match[1], key: match[2] } : undefined;
}

export function gid(type: string, key: string | number): string {
  return `gid://shopify/${type}/${key}`;
}
