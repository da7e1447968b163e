/** An account of Stripe in the sandbox that is read and rolled up as in production, for tests of its days. */

import { expect } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from '../db/db.ts';
import { aBrand, aRetailer } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import type { Files } from './stripe.ts';
import { anAccountOf } from './stripe_sync.ts';

/** What the days of cash are made of, and what belongs to it. */
export const STREAMS = ['charges', 'refunds', 'disputes', 'balance_transactions', 'payouts'];
export const second = (at: string) => Date.parse(at) / 1000;
export const DAY = '2026-11-10';
export const created = second(`${DAY}T12:00:00Z`);
export const later = second('2026-11-15T12:00:00Z');

type Booked = { id?: string; at?: number; amount: number; currency?: string } & Record<string, unknown>;

/** A balance transaction as a line of a scenario, in minor units. */
export function booked({ at = created, ...given }: Booked): object {
  const id = given.id ?? `txn_${String(given.source ?? given.reporting_category)}_${at}_${given.amount}`;
  return { currency: 'usd', created: at, ...given, id };
}

/** An account that is read and rolled up, with the rows of its days that are not zero. */
export async function anAccount(db: TestDb, files: Files, timeZone = 'UTC') {
  const brand = await aBrand(db, { timeZone });
  const retailer = await aRetailer(db, { brandId: brand.id });
  const owner = { brandId: brand.id, retailerId: retailer.id };
  const account = await anAccountOf(db, files, {}, owner);
  return {
    account,
    owner,
    async roll() {
      for (const stream of STREAMS) expect(await account.sync(stream), stream).toMatchObject({ rejected: 0 });
      return runTask(rollup, owner, db);
    },
    async days(columns: string) {
      const rows = await db.rows(
        `select day, currency, ${columns} from bi.daily_payments where brand_id = $1 order by day, currency`,
        [brand.id],
      );
      return rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).filter(
            ([name, value]) => name === 'day' || name === 'currency' || Number(value) !== 0,
          ),
        ),
      );
    },
    [Symbol.asyncDispose]: () => account[Symbol.asyncDispose](),
  };
}
