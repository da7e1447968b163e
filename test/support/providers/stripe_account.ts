import { stripe } from '#connectors/stripe/provider.ts';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import type { TestDb } from '../db/db.ts';
import { charge, type Files, NOW_SECONDS } from './stripe.ts';
import type { anAccountOf, connectStripe } from './stripe_sync.ts';

export const HOUR = 3_600;
export const instant = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
export const hours = (count: number) => instant(NOW_SECONDS + count * HOUR);
/** In reading order. */
export const STREAMS = stripe.streams.map(({ name }) => name.replace('stripe.', ''));

export const BEFORE = NOW_SECONDS - 3 * 86_400;
export const FILES: Files = {
  charges: [charge('ch_1', { created: BEFORE }), charge('ch_2', { created: NOW_SECONDS - 30 })],
  refunds: [{ id: 're_1', amount: 200, currency: 'usd', created: BEFORE, charge: 'ch_1' }],
  customers: [{ id: 'cus_1', created: BEFORE }],
  balance_transactions: [
    {
      id: 'txn_1',
      amount: 1_000,
      fee: 59,
      currency: 'usd',
      source: 'ch_1',
      created: BEFORE,
      _payout: 'po_1',
    },
    { id: 'txn_2', amount: -200, currency: 'usd', source: 're_1', created: BEFORE, _payout: 'po_1' },
    { id: 'txn_3', amount: -741, currency: 'usd', source: 'po_1', created: BEFORE + 60, _payout: 'po_1' },
    { id: 'txn_4', amount: 1_000, currency: 'usd', source: 'ch_2', created: NOW_SECONDS - 30 },
  ],
  payouts: [{ id: 'po_1', amount: 741, currency: 'usd', created: BEFORE + 60 }],
};

export type Account = Awaited<ReturnType<typeof anAccountOf>> | Awaited<ReturnType<typeof connectStripe>>;

export async function firstLoad(db: TestDb, account: Account): Promise<void> {
  await db.transaction((tx) => limitRequests(tx, account, 2_000)); // nobody waits here
  for (const stream of STREAMS) await account.sync(stream);
}

/** What the streams of a brand say of themselves. */
export function statesOf(db: TestDb, { brandId }: Account): Promise<Record<string, unknown>[]> {
  return db.rows(
    'select stream, state, complete_to, last_success_at from ops.positions where brand_id = $1 order by stream',
    [brandId],
  );
}
