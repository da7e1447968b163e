/**
 * Creates or finds the brand of the demo: a retailer for each shop of the sandbox, with a connection to the
 * shop and one to the Stripe account that took its payments; and the club, a retailer of made-up subscriptions.
 */

import type { Db } from '#sql/db/pool.ts';
import { pauseAll } from '#sql/schedules/schedules.ts';
import { addBrand, type Brand, findBrand } from '#sql/tenants/brands.ts';
import {
  addConnection,
  type Connection,
  findConnection,
  type Keyring,
  type NewConnection,
} from '#sql/tenants/connections.ts';
import { addRetailer, findRetailer, type Retailer } from '#sql/tenants/retailers.ts';
import { tasks } from '#tasks/index.ts';
import { addDefaults } from '#workers/scheduler/defaults.ts';
import { storeAddress } from '../connections/address.ts';
import { addUnlessThere } from '../shared/options/if_missing.ts';
import type { SandboxPlaces } from './sandbox_process.ts';

export const BRAND = 'giftware';
/** Its subscriptions are invented; the orders of all others are real. */
export const CLUB = 'club';

const ACCOUNT_PREFIX = 'acct_giftware';

export type Giftware = { brand: Brand; retailers: Retailer[]; connections: Connection[] };

type Account = Omit<NewConnection, 'brandId' | 'retailerId' | 'actor' | 'baseUrl'> & { baseUrl: string };

/** With Stripe's own limits a year of one account would take half a minute; the sandbox has none. */
const REQUESTS_PER_SECOND = 500;

const ifMissing = true;

export async function setUp(db: Db, keyring: Keyring, places: SandboxPlaces): Promise<Giftware> {
  const wanted = { slug: BRAND, name: 'Giftware', timeZone: 'Europe/London', reportingCurrency: 'GBP' };
  const { row: brand } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addBrand(tx, wanted)),
    find: () => findBrand(db, BRAND),
  });
  const accounts = [...shopsOf(places), ...stripeOf(places)];
  const retailers = new Map<string, Retailer>();
  const connections: Connection[] = [];
  for (const { slug, ...account } of accounts) {
    const retailer = retailers.get(slug) ?? (await setUpRetailer(db, brand.id, slug));
    retailers.set(slug, retailer);
    connections.push(await setUpConnection(db, keyring, retailer, account));
  }
  await pauseSchedules(db, brand, connections);
  return { brand, retailers: [...retailers.values()], connections };
}

// The keys are the sandbox's own, docs/sandbox.md.

function shopsOf({ shops }: SandboxPlaces): (Account & { slug: string })[] {
  return shops.map(({ name, domain: account, baseUrl }) => {
    const slug = name.replace(`${BRAND}-`, '');
    const secret = `shpat_sandbox_giftware_${slug}`;
    return { slug, name, provider: 'shopify', account, baseUrl, auth: 'token', secret };
  });
}

/** Without the brand's own account, which is empty. */
function stripeOf({ stripe }: SandboxPlaces): (Account & { slug: string })[] {
  return stripe.flatMap(({ account, baseUrl }) => {
    const slug = account.replace(ACCOUNT_PREFIX, '');
    if (slug === '') return [];
    const secret = `rk_test_sandbox_giftware_${slug}`;
    const requestsPerSecond = REQUESTS_PER_SECOND;
    return [
      {
        slug,
        name: `stripe-${slug}`,
        provider: 'stripe',
        account,
        baseUrl,
        auth: 'key',
        secret,
        requestsPerSecond,
      },
    ];
  });
}

async function setUpRetailer(db: Db, brandId: string, slug: string): Promise<Retailer> {
  const name =
    slug === CLUB ? 'Giftware Club (made up)' : slug.replace(/^./, (letter) => letter.toUpperCase());
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
  { brandId, id: retailerId }: Retailer,
  account: Account,
): Promise<Connection> {
  const { row, added } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addConnection(tx, keyring, { brandId, retailerId, ...account })),
    find: () => findConnection(db, brandId, account.name),
  });
  // The sandbox of this run listens on another port than that of the last one.
  const { baseUrl } = account;
  if (!added && row.baseUrl !== baseUrl) await db.transaction((tx) => storeAddress(tx, row, baseUrl));
  return row;
}

/** The sandbox is gone when the demo is over: nothing of it may fire later. */
async function pauseSchedules(db: Db, brand: Brand, connections: readonly Connection[]): Promise<void> {
  const owners = [null, ...connections.map(({ id }) => id)];
  await db.transaction(async (tx) => {
    for (const connectionId of owners) await addDefaults(tx, tasks, { brandId: brand.id, connectionId });
    await pauseAll(tx, brand.id, { by: 'demo', reason: 'the sandbox of the demo runs with the demo only' });
  });
}
