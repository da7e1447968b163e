/** Whenever months are closed and whatever comes afterwards: closed figures and their adjustments add up to present ones. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adjustedSums } from '#sql/periods/book.ts';
import { reopenPeriod } from '#sql/periods/close.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { aRetailer, type Shop, twoShops } from '../support/rows/factory.ts';
import { aBooking, loadMoney } from '../support/rows/payments.ts';
import { bookedSums, closeAnyway, frozen, presentSums } from '../support/rows/periods.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const MONTHS = ['2024-04-01', '2024-05-01', '2024-06-01'];
const at = (month: number) => `2024-0${month}-1${month}T12:00:00Z`;

const step = fc.record({
  id: fc.integer({ min: 1, max: 4 }),
  month: fc.integer({ min: 4, max: 7 }),
  total: fc.integer({ min: 1, max: 5_000 }).map((cents) => (cents / 100).toFixed(2)),
  currency: fc.constantFrom('GBP', 'GBP', 'USD'),
  back: fc.option(fc.integer({ min: 4, max: 7 }), { nil: undefined }),
  does: fc.constantFrom(
    ...[
      'order',
      'order',
      'order',
      'gone',
      'booking',
      'booking',
      'rate',
      'roll',
      'roll',
      'rebuild',
      'close',
      'close',
    ],
    ...['reopen', 'other brand'],
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function roll(db: TestDb, { brand, retailer }: Shop, range = {}) {
  await runTask(rollup, { brandId: brand.id, retailerId: retailer.id, ...range }, db);
  await runTask(rollup, { brandId: brand.id, retailerId: null }, db);
}

async function load(db: TestDb, shop: Shop, { id, month, total, currency, back, does }: Step, now: Date) {
  const version = now.toISOString();
  const refund = back && { reason: 'REFUND', action: 'RETURN', at: at(back), quantity: -1, total: '-0.55' };
  const sales = [{ total, quantity: 1 }, ...(refund ? [refund] : [])];
  const named = { id: String(id), version, currency };
  await db.transaction(async (tx) => {
    if (does === 'gone') await loadOrders(tx, placeOf(shop), [], [{ id: named.id, deletedAt: now }]);
    if (does === 'booking')
      await loadMoney(tx, placeOf(shop), [aBooking({ ...named, at: at(month), amount: total })]);
    if (does === 'order' || does === 'other brand')
      await loadOrders(tx, placeOf(shop), [anOrder({ ...named, at: at(month), customer: 'c', sales })]);
    if (does === 'rate') {
      const day = at(month).slice(0, 10);
      for (const [code, rate] of [
        ['USD', total],
        ['GBP', '1'],
      ])
        await tx.query(
          `insert into app.fx_rates (currency, day, units_per_euro, source, seen_at) values ($1, $2, $3, 'ecb', now())
           on conflict (currency, day) do update set units_per_euro = excluded.units_per_euro`,
          [code, day, rate],
        );
      await tx.query(
        `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) values ($1, $2, 'fx', $3, now())`,
        [shop.brand.id, shop.retailer.id, day],
      );
    }
  });
}

test('closed figures and adjustments add up to present figures, and closed ones never move', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16 }), async (steps) => {
      const [shop, other] = await twoShops(db);
      const brandId = shop.brand.id;
      await aRetailer(db, { brandId });
      const closed: string[] = [];
      let stood: unknown[] = [];
      for (const [index, one] of steps.entries()) {
        const now = new Date(Date.parse('2024-08-01T00:00:00Z') + index * 1000);
        const next = MONTHS[closed.length];
        if (one.does === 'close' && next !== undefined) {
          const { closing } = await closeAnyway(db, { brandId, period: next });
          closed.push(next);
          expect(closing.period).toBe(next);
          stood = await frozen(db, brandId);
        } else if (one.does === 'reopen' && closed.length > 0) {
          const period = closed.pop() ?? '';
          await db.transaction((tx) =>
            reopenPeriod(tx, { brandId, period, reason: 'an error', actor: 'test' }),
          );
        } else if (one.does === 'roll') await roll(db, shop);
        else if (one.does === 'rebuild') await roll(db, shop, { from: '2024-04-01', to: '2024-07-31' });
        else await load(db, one.does === 'other brand' ? other : shop, one, now);
        expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));
      }
      await roll(db, shop);
      await roll(db, other);
      expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));
      expect(await frozen(db, brandId)).toEqual(stood);
      expect(await frozen(db, other.brand.id)).toEqual([]);
      for (const id of await db.column(
        'select id from ops.period_closings where brand_id = $1 and reopened_at is null',
        [brandId],
      ))
        expect(
          (await adjustedSums(db, { brandId, closingId: Number(id) })).filter((sum) => !sum.adds_up),
        ).toEqual([]);
    }),
    6,
  );
});
