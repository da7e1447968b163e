/** Cash by any order of events: whatever loads, changes, vanishes or moves, the days end as if made from nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { rollups } from '#sql/rollups/index.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf, assertSettled, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { assertExplained } from '../support/explain/law.ts';
import {
  at,
  aWorld,
  category,
  currency,
  now,
  rollEverything,
  rollSome,
  type World,
} from '../support/money/world.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { aBooking, aCharge, loadMoney, moneyTables } from '../support/rows/payments.ts';

// Around both changes of the clock in London, so that zones cut the days differently.
const instant = fc.constantFrom(
  ...['2024-03-30T23:30:00Z', '2024-03-31T00:30:00Z', '2024-03-31T22:30:00Z', '2024-03-31T23:30:00Z'],
  ...['2024-10-26T22:59:59Z', '2024-10-27T00:30:00Z', '2024-10-28T00:00:00Z', '2024-07-15T12:00:00Z'],
);
const version = fc.integer({ min: 10, max: 29 }).map((n) => `2024-11-${n}T00:00:00Z`);
const amount = fc.integer({ min: -9_000, max: 9_000 }).map((n) => (n / 100).toFixed(2));
const id = fc.constantFrom('1', '2', '3', '4', '5');
const account = fc.constantFrom(0, 0, 1, 2);

const aStoredBooking = fc
  .record({
    ...{ id, at: instant, version, currency, amount, fee: amount, category },
    balance: fc.constantFrom(...Array<string>(6).fill('payments'), 'issuing'),
  })
  .map(aBooking);
const aStoredCharge = fc
  .record({
    id,
    at: instant,
    version,
    currency,
    status: fc.constantFrom('failed', 'failed', 'succeeded', 'pending'),
  })
  .map(aCharge);
const change = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('load' as const),
      account,
      items: fc.array(fc.oneof(aStoredBooking, aStoredCharge), { minLength: 1, maxLength: 4, size: 'max' }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('roll' as const), retailer: fc.nat(1), days: fc.nat(4) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), account, id, version }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('zone' as const),
      zone: fc.constantFrom('America/New_York', 'Asia/Kolkata', 'Europe/London'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('move' as const), account, retailer: fc.nat(1) }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

test('any sequence of loads, edits, deletes, moves and partial rollups equals a rebuild', async () => {
  await using db = await freshDb();
  const steps = fc.array(fc.record({ change, brand: fc.nat(1) }), {
    minLength: 10,
    maxLength: 30,
    size: 'max',
  });
  await assertHolds(
    fc.asyncProperty(steps, async (happenings) => {
      const worlds = [await aWorld(db), await aWorld(db)]; // with equal ids
      for (const { change: happening, brand } of happenings)
        await db.transaction((tx) => apply(tx, at(worlds, brand), happening));
      for (const world of worlds) {
        await rollEverything(db, world);
        const found = await aggregatesOf(db, world.brandId);
        expect(found).toEqual(await rebuiltFromNothing(db, world.brandId));
        await assertBalance(db, world);
        await assertExplained(db, world.brandId, { rollups, now });
        await assertSettled(db, world, { from: '2024-03-29', to: '2024-10-30', now, rollups });
      }
    }),
    inForm(4, 15),
  );
});

async function apply(tx: Tx, { brandId, retailers, accounts }: World, change: Change): Promise<unknown> {
  const marking = { brandId, tables: moneyTables, now };
  switch (change.type) {
    case 'load':
      return loadMoney(tx, at(accounts, change.account), change.items);
    case 'delete':
      return loadMoney(
        tx,
        at(accounts, change.account),
        [],
        [{ id: change.id, deletedAt: new Date(change.version) }],
      );
    case 'zone':
      return changeTimeZone(tx, change.zone, marking);
    case 'move': {
      const { connectionId } = at(accounts, change.account);
      return moveConnection(tx, { ...marking, connectionId, retailerId: at(retailers, change.retailer) });
    }
    case 'roll':
      return rollSome(tx, brandId, at(retailers, change.retailer), change.days + 1);
  }
}

/** The last closing balance of a retailer and currency is the sum of all that is stored. */
async function assertBalance(db: Db, { brandId }: World): Promise<void> {
  const { rows } = await db.query(
    `select retailer_id, currency, trim_scale(sum(t.net)) as balance
     from raw.stripe_balance_transactions t join app.connections c on (c.brand_id, c.id) = (t.brand_id, t.connection_id)
     where t.brand_id = $1 and t.deleted_at is null and t.balance_type = 'payments' group by 1, 2
     except
     select retailer_id, currency, closing_balance from (
       select distinct on (retailer_id, currency) retailer_id, currency, closing_balance
       from bi.daily_payments where brand_id = $1 order by retailer_id, currency, day desc) last`,
    [brandId],
  );
  expect(rows).toEqual([]);
}
