/** A shop in a sandbox with two orders and a refund, and a connection to it, for tests of the command line. */
import { startSandbox } from '../../../sandbox/server.ts';
import type { TestDb } from '../db/db.ts';
import { aBrand, aConnection, aRetailer, TEST_KEYS } from '../rows/factory.ts';
import { SHOP, scenarioDir, TOKEN } from './sandbox.ts';

/** 29.99 sold on 1 November, 5.00 on the 2nd, of which 5.00 came back on the 3rd. */
const orders = [
  { id: 1, processedAt: '2026-11-01T12:00:00Z', lineItems: [{ id: 11, originalUnitPriceSet: '29.99' }] },
  {
    ...{ id: 2, processedAt: '2026-11-02T12:00:00Z', lineItems: [{ id: 21, originalUnitPriceSet: '5.00' }] },
    refunds: [{ id: 9, createdAt: '2026-11-03T12:00:00Z', refundLineItems: [{ lineItem: 21 }] }],
  },
];

export type ShopOptions = { secret?: string; scopes?: string[] };

export async function aShopToSync(db: TestDb, { secret = TOKEN, scopes }: ShopOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const { dir } = stack.use(
    await scenarioDir({ 'orders.ndjson': orders }, { shop: scopes ? { scopes } : {} }),
  );
  const sandbox = stack.use(await startSandbox({ data: dir }));
  const brand = await aBrand(db, { slug: 'acme', timeZone: 'America/New_York', reportingCurrency: 'USD' });
  const { id: retailerId } = await aRetailer(db, { brandId: brand.id, slug: 'us' });
  const baseUrl = `${sandbox.url}/shopify/${SHOP}`;
  const account = `${SHOP}.myshopify.com`;
  const place = { brandId: brand.id, retailerId, account };
  const connection = await aConnection(db, { ...place, name: 'shop', baseUrl, secret });
  const open = stack.move();
  return {
    sandbox,
    connection,
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
