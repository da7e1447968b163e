/** Things that tests need, made the way the product makes them; what a test does not name is filled in. */
import { randomUUID } from 'node:crypto';
import { makeKeyring } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { addBrand, type Brand, type NewBrand } from '#sql/tenants/brands.ts';
import {
  addConnection,
  type Connection,
  type Keyring,
  type NewConnection,
} from '#sql/tenants/connections.ts';
import { addRetailer, type NewRetailer, type Retailer } from '#sql/tenants/retailers.ts';
import { sealer } from '#sql/tenants/secrets.ts';

/** Opens what the factory has sealed. */
export const testKey = { id: 'test', key: Buffer.alloc(32, 7) };
export const testSealer = sealer([testKey]);
/** The same for NIGHTSHIFT_SECRET_KEYS. */
export const TEST_KEYS = `${testKey.id}:${testKey.key.toString('base64')}`;
export const testKeyring = makeKeyring(testSealer, []);
export const TEST_SECRET = 'shpat_secret_of_tests';

export function aBrand(db: Db, brand: Partial<NewBrand> = {}): Promise<Brand> {
  const slug = brand.slug ?? aName('brand');
  const defaults = { slug, name: slug, timeZone: 'Europe/London', reportingCurrency: 'GBP', actor: 'test' };
  return db.transaction((tx) => addBrand(tx, { ...defaults, ...brand }));
}

/** Of a brand of its own, if none is named. */
export async function aRetailer(db: Db, retailer: Partial<NewRetailer> = {}): Promise<Retailer> {
  const brandId = retailer.brandId ?? (await aBrand(db)).id;
  const slug = retailer.slug ?? aName('retailer');
  return db.transaction((tx) => addRetailer(tx, { slug, name: slug, actor: 'test', ...retailer, brandId }));
}

/** A shop, with a retailer and brand of its own if none are named. */
export async function aConnection(
  db: Db,
  connection: Partial<NewConnection> = {},
  keyring: Keyring = testKeyring,
): Promise<Connection & { retailerId: string }> {
  const brandId = connection.brandId ?? (await aBrand(db)).id;
  const retailerId = connection.retailerId ?? (await aRetailer(db, { brandId })).id;
  const name = connection.name ?? aName('shop');
  const defaults = { provider: 'shopify', account: `${name}.myshopify.com`, auth: 'token' } as const;
  const given = { ...defaults, name, secret: TEST_SECRET, actor: 'test', ...connection, brandId, retailerId };
  const added = await db.transaction((tx) => addConnection(tx, keyring, given));
  return { ...added, retailerId };
}

export type Shop = { brand: Brand; retailer: Retailer; connection: Connection };

export async function aShop(db: Db, brand: Partial<NewBrand> = {}): Promise<Shop> {
  const owner = await aBrand(db, brand);
  const retailer = await aRetailer(db, { brandId: owner.id });
  const connection = await aConnection(db, { brandId: owner.id, retailerId: retailer.id });
  return { brand: owner, retailer, connection };
}

/** Two tenants alike: whatever is done for one must leave the other as it was. */
export async function twoShops(db: Db, brand: Partial<NewBrand> = {}): Promise<[Shop, Shop]> {
  return [await aShop(db, brand), await aShop(db, brand)];
}

function aName(kind: string): string {
  return `${kind}-${randomUUID().slice(0, 8)}`;
}
