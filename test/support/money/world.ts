/** Brands alike whose retailers have accounts of Stripe, and bookings of any kind, for laws of cash. */
import fc from 'fast-check';
import type { Db, Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { aBrand, aConnection, aRetailer } from '../rows/factory.ts';
import type { Place } from '../rows/raw_orders.ts';

export const now = new Date('2024-12-01T00:00:00Z');

// All categories that providers/stripe documents, and some that nobody has heard of.
const categories = [
  ...['charge', 'charge_failure', 'partial_capture_reversal', 'refund', 'refund_failure', 'dispute'],
  ...[
    'dispute_reversal',
    'fee',
    'tax',
    'network_cost',
    'payout',
    'payout_reversal',
    'topup',
    'topup_reversal',
  ],
  ...['transfer', 'transfer_reversal', 'advance', 'advance_funding', 'connect_collection_transfer'],
  ...['connect_reserved_funds', 'issuing_transaction', 'other_adjustment', 'platform_earning'],
  ...['platform_earning_refund', 'risk_reserved_funds', '', 'Charge', 'charge ', 'constructor', 'neu'],
];
export const category = fc.constantFrom(...categories);
export const currency = fc.constantFrom('USD', 'USD', 'EUR', 'JPY', 'KWD');

export type World = { brandId: string; retailers: string[]; accounts: Place[] };

/** Two retailers, the first of them with two accounts; the same ids in each world. */
export async function aWorld(db: Db): Promise<World> {
  const { id: brandId } = await aBrand(db);
  const retailers = [(await aRetailer(db, { brandId })).id, (await aRetailer(db, { brandId })).id];
  const accounts: Place[] = [];
  for (const [index, retailer] of [0, 0, 1].entries()) {
    const given = { provider: 'stripe', account: `acct_${index}`, auth: 'key' } as const;
    const owner = { brandId, retailerId: at(retailers, retailer) };
    const { id: connectionId } = await aConnection(db, { ...given, ...owner, secret: 'rk_test_1' });
    accounts.push({ brandId, connectionId });
  }
  return { brandId, retailers, accounts };
}

export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`nothing at ${index}`);
  return item;
}

/** Of so many days at most; gives how many marks there were. */
export async function rollSome(tx: Tx, brandId: string, retailerId: string, limit: number): Promise<number> {
  const marks = await claimMarks(tx, brandId, retailerId, { days: limit, objects: limit });
  await runMarked(tx, rollups, { brandId, retailerId, marks, now });
  return marks.length;
}

export async function rollEverything(db: Db, { brandId, retailers }: World): Promise<void> {
  for (const retailerId of retailers) {
    let days = 1;
    while (days > 0) days = await db.transaction((tx) => rollSome(tx, brandId, retailerId, 5));
  }
}
