/** Brands with two shops and two Stripe accounts each, all of them read to their end an hour ago. */

import { streamsOf } from '../../connectors/providers.ts';
import { orderItem } from '../../connectors/shopify/streams/order_rows.ts';
import { ordersStream } from '../../connectors/shopify/streams/orders.ts';
import { balanceTransactions, toItem } from '../../connectors/stripe/streams/balance_transactions.ts';
import type { Tx } from '../../sql/db/pool.ts';
import { type LoadTarget, loadItems } from '../../sql/load/load.ts';
import { finishRuns, savePositions } from '../../sql/load/sync_state.ts';
import type { Item } from '../../sql/load/table.ts';
import { noteAccountAsked } from '../../sql/tenants/account_facts.ts';
import { addBrand } from '../../sql/tenants/brands.ts';
import {
  addConnection,
  type Connection,
  type Keyring,
  openConnection,
} from '../../sql/tenants/connections.ts';
import { addRetailer } from '../../sql/tenants/retailers.ts';
import { bookings, orders } from './fleet_rows.ts';
import type { BenchDb } from './server.ts';

const EACH = ['shopify', 'shopify', 'stripe', 'stripe'] as const;
export const CONNECTIONS_EACH = EACH.length;
const BRANDS_AT_ONCE = 8;

export type Fleet = { brands: Connection[][]; readTo: Date };

export async function addFleet(
  db: BenchDb,
  keyring: Keyring,
  { url, connections, readTo }: { url: string; connections: number; readTo: Date },
): Promise<Fleet> {
  const brands: Connection[][] = [];
  const count = Math.ceil(connections / CONNECTIONS_EACH);
  for (let first = 0; first < count; first += BRANDS_AT_ONCE) {
    const some = Array.from({ length: Math.min(BRANDS_AT_ONCE, count - first) }, (_, index) => first + index);
    brands.push(...(await Promise.all(some.map((number) => addOne(db, keyring, { url, number, readTo })))));
  }
  await db.query('delete from ops.marks');
  await db.query('vacuum analyze');
  return { brands, readTo };
}

type Place = { url: string; number: number; readTo: Date };

function addOne(db: BenchDb, keyring: Keyring, { url, number, readTo }: Place): Promise<Connection[]> {
  return db.transaction(async (tx) => {
    const names = { slug: `bench-${number}`, name: `Bench ${number}` };
    const brand = await addBrand(tx, { ...names, timeZone: 'Europe/London', reportingCurrency: 'GBP' });
    const retailer = await addRetailer(tx, { ...names, brandId: brand.id });
    const added: Connection[] = [];
    for (const [index, provider] of EACH.entries()) {
      const account = `${number}-${index}`;
      const connection = await addConnection(tx, keyring, {
        ...{ brandId: brand.id, retailerId: retailer.id, name: account, provider },
        ...(provider === 'shopify'
          ? { account: `${account}.myshopify.com`, auth: 'token', secret: 'shpat_bench' }
          : { account: `acct_${number}_${index}`, auth: 'key', secret: 'rk_test_bench' }),
        baseUrl: `${url}/${provider}/${account}`,
      });
      await readAll(tx, keyring, connection, readTo);
      added.push(connection);
    }
    return added;
  });
}

/** Its rows and positions, as first loads would leave them. */
async function readAll(tx: Tx, keyring: Keyring, connection: Connection, now: Date): Promise<void> {
  const { brandId, id: connectionId, provider } = connection;
  const key = { brandId, connectionId };
  const [target, items]: [Pick<LoadTarget, 'tables' | 'dependents'>, Item[]] =
    provider === 'shopify'
      ? [ordersStream, orders.map((node) => orderItem(node))]
      : [{ tables: [balanceTransactions] }, bookings.map((booking) => toItem(booking, { sentAt: now }))];
  await loadItems(tx, { ...key, ...target, now }, items);
  const streams = streamsOf(provider).map(({ name }) => name);
  const changesTo = now.toISOString();
  const position = provider === 'shopify' ? { changesTo } : { changesTo, livemode: false };
  await savePositions(
    tx,
    key,
    streams.map((stream) => ({ stream, position })),
    now,
  );
  await finishRuns(
    tx,
    key,
    streams.map((stream) => ({ stream, state: 'ok' as const })),
    now,
  );
  if (provider === 'stripe')
    await noteAccountAsked(tx, await openConnection(tx, { brandId, connectionId }, keyring), now);
}
