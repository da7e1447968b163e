/** Whatever changes after days were final: of each cell the first final value and all its differences add up to the present one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rollups } from '#sql/rollups/index.ts';
import { isRestated } from '#sql/rollups/restate.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { readToNow } from '../support/restatements.ts';
import { aShop } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const at = (day: number) => `2024-05-0${day}T12:00:00Z`;
const LAST = at(5);
const step = fc.record({
  id: fc.integer({ min: 1, max: 4 }),
  day: fc.integer({ min: 1, max: 5 }),
  total: fc.integer({ min: 1, max: 50 }),
  back: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  does: fc.constantFrom('order', 'order', 'order', 'gone', 'roll', 'rebuild'),
});

const LOGGED = rollups.filter(
  (one) => isRestated(one) && /^agg\.daily_(country_|product_)?sales$/.test(one.writes),
);

/** Every number of the logged figures, by its cell; those that are zero or unknown are as good as absent. */
async function cells(db: TestDb, brandId: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const { name, writes, grain, measures } of LOGGED) {
    const rest = grain.filter((column) => !['brand_id', 'retailer_id', 'day'].includes(column));
    const rows = await db.rows<{ cell: string; value: number }>(
      `select concat_ws(' ', '${name}', a.day, jsonb_build_object(${rest.map((column) => `'${column}', a.${column}`)}), m.key) as cell, m.value::text::float8 as value
       from ${writes} a cross join lateral jsonb_each(to_jsonb(a)) m
       where a.brand_id = $1 and m.key = any ($2) and m.key <> 'fx_rate' and jsonb_typeof(m.value) = 'number'`,
      [brandId, measures],
    );
    for (const { cell, value } of rows) if (value !== 0) found.set(cell, value);
  }
  return found;
}

test('first final values and differences add up to what figures are', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), async (steps) => {
      const shop = await aShop(db);
      const { brand, retailer } = shop;
      const owner = { brandId: brand.id, retailerId: retailer.id };
      const roll = async (range = {}) => {
        await runTask(rollup, { ...owner, ...range }, db);
        await runTask(rollup, { ...owner, retailerId: null }, db);
      };
      await db.transaction((tx) =>
        loadOrders(tx, placeOf(shop), [anOrder({ id: '1', at: at(1) }), anOrder({ id: '9', at: LAST })]),
      );
      await roll();
      await readToNow(db, brand.id);
      await roll();
      const told = await cells(db, brand.id);
      let version = 0;
      for (const { id, day, total, back, does } of steps) {
        version += 1;
        const now = new Date(Date.parse('2024-06-01T00:00:00Z') + version * 1000);
        const refund = {
          reason: 'REFUND',
          action: 'RETURN',
          at: at(back ?? 1),
          quantity: -1,
          total: '-1.00',
        };
        const sales = [{ total: `${total}.00`, quantity: 1 }, ...(back === undefined ? [] : [refund])];
        if (does === 'order')
          await db.transaction((tx) =>
            loadOrders(tx, placeOf(shop), [
              anOrder({ id: String(id), at: at(day), version: now.toISOString(), sales }),
            ]),
          );
        else if (does === 'gone')
          await db.transaction((tx) =>
            loadOrders(tx, placeOf(shop), [], [{ id: String(id), deletedAt: now }]),
          );
        else await roll(does === 'rebuild' ? { from: '2024-05-01', to: '2024-05-05' } : {});
      }
      await roll();
      await roll();
      const logged = await db.rows<{ cell: string; difference: number }>(
        `select concat_ws(' ', figure, day, key, column_name) as cell, sum(difference)::float8 as difference
         from bi.restatements where brand_id = $1 and figure = any ($2) and column_name <> 'fx_rate' group by 1`,
        [brand.id, LOGGED.map(({ name }) => name)],
      );
      for (const { cell, difference } of logged) {
        const value = (told.get(cell) ?? 0) + difference;
        if (value === 0) told.delete(cell);
        else told.set(cell, value);
      }
      expect(told).toEqual(await cells(db, brand.id));
    }),
    4,
  );
});
