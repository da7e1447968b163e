/**
 * Whatever comes in whatever order (readings, orders, edits, returns, later versions, deletions), twice or late, movements
 * add up to the last reading, and the days are those of a rebuild. Two shops use the same ids.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { productTables } from '#connectors/shopify/streams/product_rows.ts';
import { rollups as all } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf } from '../support/db/rebuild.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { aStore, type Store, sold } from '../support/stock.ts';

const rollups = all.filter(({ writes }) => /daily_stock|daily_product_sales/.test(writes));
const tables = [...orderTables, ...productTables];
const NOW = new Date('2026-06-30T12:00:00Z');
const HOUR_MS = 3_600_000;
const BEGIN = Date.parse('2026-03-27T22:00:00Z'); // the clock in London changes on the 29th
const hour = fc.integer({ min: 0, max: 96 });
const at = (hours: number) => new Date(BEGIN + hours * HOUR_MS).toISOString();
const variant = fc.constantFrom('7', '8');
const shop = fc.constantFrom('uk' as const, 'ie' as const);
const pieces = fc.integer({ min: -3, max: 40 });

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      ...{ variant, shop, hour, available: fc.option(pieces, { freq: 8 }) },
      ...{ unavailable: fc.option(fc.nat(3), { freq: 3 }), late: fc.boolean() },
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('order' as const),
      ...{
        id: fc.integer({ min: 1, max: 4 }),
        variant,
        shop,
        hour,
        quantity: fc.integer({ min: 1, max: 5 }),
      },
      back: fc.option(
        fc.record({
          hour,
          restocked: fc.option(fc.nat(1)),
          reason: fc.constantFrom('REFUND', 'ORDER_EDIT'),
        }),
      ),
      test: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), variant, shop, hour }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('zone' as const),
      zone: fc.constantFrom('Europe/London', 'America/New_York', 'Asia/Kolkata'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('roll' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function apply(store: Store, one: Step, version: number): Promise<void> {
  const { db, brandId } = store;
  if (one.do === 'read') {
    const { available, unavailable, late } = one;
    const reading = { at: at(one.hour), available, unavailable };
    // One that is late is of a version that is older than others.
    const versioned = { ...reading, version: at(late ? one.hour : 100 + version) };
    await store.read(one.variant, versioned, store[one.shop]);
    await store.read(one.variant, versioned, store[one.shop]);
  } else if (one.do === 'order') {
    const { back } = one;
    const later = back
      ? [{ ...{ at: at(Math.max(back.hour, one.hour)), quantity: 1, reason: back.reason }, ...told(back) }]
      : [];
    const order = sold(String(one.id), at(one.hour), one.variant, one.quantity, later);
    await store.orders([{ ...order, test: one.test, version: at(200 + version) }], store[one.shop]);
  } else if (one.do === 'remove') await store.remove(one.variant, at(100 + version), store[one.shop]);
  else if (one.do === 'zone')
    await db.transaction((tx) => changeTimeZone(tx, one.zone, { brandId, tables, now: NOW }));
  else await store.roll();
}

const told = ({ restocked }: { restocked: number | null }) => (restocked === null ? {} : { restocked });

const DAYS = Array.from({ length: 30 }, (_, n) => at((n - 4) * 24).slice(0, 10));

async function rebuilt({ db, brandId, uk, ie }: Store) {
  for (const { writes } of rollups) await db.query(`delete from ${writes} where brand_id = $1`, [brandId]);
  for (const { retailerId } of [uk, ie])
    await db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId, days: DAYS, now: NOW }));
  return aggregatesOf(db, brandId, rollups);
}

test('movements add up to the last reading, and days are those of a rebuild', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 30 }), async (steps) => {
    await using db = await freshDb();
    const [store, other] = [await aStore(db), await aStore(db)];
    await other.read('7', { at: at(0), available: 9 });
    await other.roll();
    for (const [version, one] of steps.entries()) await apply(store, one, version);
    await store.roll();

    // Each day continues the one before, and the last one is what was last read.
    const broken = await db.rows(
      `select d.* from (
         select a.*, lag(level, 1, 0::bigint) over w as before, lead(day) over w is null as is_last
         from agg.daily_stock a window w as (partition by connection_id, variant_id order by day)
       ) d
       cross join lateral (
         select available
         from (
           select * from fact.stock_readings
           union all
           select *, null, null from fact.stock_ends
         ) r
         where r.brand_id = d.brand_id and r.connection_id = d.connection_id and r.variant_id = d.variant_id
         order by r.read_at desc, r.available is null desc limit 1
       ) r
       where d.level_before <> d.before or d.is_latest <> d.is_last or d.is_last and d.level <> coalesce(r.available, 0)`,
    );
    expect(broken).toEqual([]);
    await assertExplained(db, store.brandId, { rollups });
    const incremental = await aggregatesOf(db, store.brandId, rollups);
    expect(await store.roll()).toMatchObject(Array(2).fill({ written: 0, deleted: 0 }));
    expect(await rebuilt(store)).toEqual(incremental);
    expect(await other.days()).toHaveLength(1);
  });
  await assertHolds(property, inForm(8, 60));
});
