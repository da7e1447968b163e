/** Creates or finds the brand of the demo, its retailers, and a connection for each account of the sandbox. */
import { streamsOf } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { pauseAll } from '#sql/schedules/schedules.ts';
import { addBrand, type Brand, findBrand } from '#sql/tenants/brands.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
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
import { accountsOf, BRAND, CLUB, TIME_ZONE } from './accounts.ts';
import { setUpCampaigns } from './campaigns.ts';
import type { SandboxPlaces } from './sandbox_process.ts';

export type Giftware = { brand: Brand; retailers: Retailer[]; connections: Connection[] };

const ifMissing = true;

export async function setUp(db: Db, keyring: Keyring, places: SandboxPlaces): Promise<Giftware> {
  const wanted = { slug: BRAND, name: 'Giftware', timeZone: TIME_ZONE, reportingCurrency: 'GBP' };
  const { row: brand } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addBrand(tx, wanted)),
    find: () => findBrand(db, BRAND),
  });
  const retailers = new Map<string, Retailer>();
  const connections: Connection[] = [];
  for (const { owner, parts, ...account } of accountsOf(places)) {
    for (const slug of [owner, ...Object.values(parts ?? {})])
      if (slug !== null && !retailers.has(slug)) retailers.set(slug, await setUpRetailer(db, brand.id, slug));
    const retailerId = owner === null ? null : (retailers.get(owner)?.id ?? null);
    const connection = await setUpConnection(db, keyring, { brandId: brand.id, retailerId, ...account });
    for (const [part, slug] of Object.entries(parts ?? {}))
      await assign(db, connection, part, retailers.get(slug)?.id ?? '');
    connections.push(connection);
  }
  await setUpCampaigns(db, brand);
  await pauseSchedules(db, brand, connections);
  return { brand, retailers: [...retailers.values()], connections };
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
  account: NewConnection & { baseUrl: string },
): Promise<Connection> {
  const { row, added } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addConnection(tx, keyring, account)),
    find: () => findConnection(db, account.brandId, account.name),
  });
  // The sandbox of this run listens on another port than that of the last one.
  const { baseUrl } = account;
  if (!added && row.baseUrl !== baseUrl) await db.transaction((tx) => storeAddress(tx, row, baseUrl));
  return row;
}

async function assign(db: Db, connection: Connection, part: string, retailerId: string): Promise<void> {
  const { brandId, id: connectionId } = connection;
  const tables = streamsOf(connection.provider).flatMap((stream) => [...stream.tables]);
  const change = { brandId, connectionId, part, retailerId, tables, now: new Date() };
  await db.transaction((tx) => mapPart(tx, change));
}

/** The sandbox is gone when the demo is over: nothing of it may fire later. */
async function pauseSchedules(db: Db, brand: Brand, connections: readonly Connection[]): Promise<void> {
  const owners = [null, ...connections.map(({ id }) => id)];
  await db.transaction(async (tx) => {
    for (const connectionId of owners) await addDefaults(tx, tasks, { brandId: brand.id, connectionId });
    await pauseAll(tx, brand.id, { by: 'demo', reason: 'the sandbox of the demo runs with the demo only' });
  });
}
