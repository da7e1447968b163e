/** The brand of the demo with a retailer and a connection for each shop of the sandbox, made or found. */
import { addBrand, type Brand, findBrand } from '#sql/brands.ts';
import { addConnection, type Connection, findConnection, type Keyring } from '#sql/connections.ts';
import type { Db } from '#sql/pool.ts';
import { addRetailer, findRetailer, type Retailer } from '#sql/retailers.ts';
import { storeAddress } from '../connections/address.ts';
import { addUnlessThere } from '../if_missing.ts';
import type { SandboxShop } from './sandbox_process.ts';

export const BRAND = 'giftware';

export type Giftware = { brand: Brand; retailers: Retailer[]; connections: Connection[] };

const ifMissing = true;

export async function setUp(db: Db, keyring: Keyring, shops: readonly SandboxShop[]): Promise<Giftware> {
  const wanted = { slug: BRAND, name: 'Giftware', timeZone: 'Europe/London', reportingCurrency: 'GBP' };
  const { row: brand } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addBrand(tx, wanted)),
    find: () => findBrand(db, BRAND),
  });
  const retailers: Retailer[] = [];
  const connections: Connection[] = [];
  for (const shop of shops) {
    const retailer = await setUpRetailer(db, brand.id, shop.name.replace(`${BRAND}-`, ''));
    retailers.push(retailer);
    connections.push(await setUpConnection(db, keyring, retailer, shop));
  }
  return { brand, retailers, connections };
}

async function setUpRetailer(db: Db, brandId: string, slug: string): Promise<Retailer> {
  const name = slug.replace(/^./, (letter) => letter.toUpperCase());
  const { row } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addRetailer(tx, { brandId, slug, name })),
    find: () => findRetailer(db, brandId, slug),
  });
  return row;
}

async function setUpConnection(
  db: Db,
  keyring: Keyring,
  { brandId, id: retailerId, slug }: Retailer,
  { name, domain: account, baseUrl }: SandboxShop,
): Promise<Connection> {
  const secret = `shpat_sandbox_giftware_${slug}`; // the sandbox's own, docs/sandbox.md
  const key = { auth: 'token', secret };
  const { row, added } = await addUnlessThere({
    ifMissing,
    add: () =>
      db.transaction((tx) =>
        addConnection(tx, keyring, {
          brandId,
          retailerId,
          name,
          provider: 'shopify',
          account,
          baseUrl,
          ...key,
        }),
      ),
    find: () => findConnection(db, brandId, name),
  });
  // The sandbox of this run listens on another port than that of the last one.
  if (!added && row.baseUrl !== baseUrl) await db.transaction((tx) => storeAddress(tx, row, baseUrl));
  return row;
}
