/** What is stored and redacted later, and what is redacted as it comes, are equal: else every reading would write again. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstOrders } from '#connectors/shopify/invalidations.ts';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Item, Json } from '#sql/load/table.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { freshDb } from '../support/db/db.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { assertHolds } from '../support/property.ts';
import { aShop, testSealer } from '../support/rows/factory.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { placeOf } from '../support/rows/rolled.ts';
import { runTask } from '../support/run.ts';

const CUSTOMER = '7012345678901';
const now = new Date('2024-06-01T00:00:00Z');

/** Texts that COPY, JSON and SQL write in their own ways, and the id itself. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    CUSTOMER,
    `gid://shopify/Customer/${CUSTOMER}`,
    '\\N',
    '\t\\t',
    'a\nb',
    '"\\"',
    '\u0000',
    '\ud800',
    "'",
    '',
  ),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.constantFrom(null, true, 0, -0, 1e21, 0.1, 1.5, Number.MAX_SAFE_INTEGER),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(text, tie('json'), { maxKeys: 3 }),
  ),
}));
const payload = fc.record({ totalPriceSet: json, note: json }, { requiredKeys: [] });

function ordersOf(payloads: readonly object[]): Item[] {
  return payloads.map((one, index) => {
    const order = anOrder({ id: String(index + 1), customer: CUSTOMER });
    const [row] = order.rows['raw.shopify_orders'] ?? [];
    return { ...order, rows: { ...order.rows, 'raw.shopify_orders': [{ ...row, payload: one as Json }] } };
  });
}

test('whatever a payload holds, an order that was redacted where it was stored is equal to one that comes again', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(fc.array(payload, { minLength: 1, maxLength: 20 }), async (payloads) => {
      const place = placeOf(await aShop(db));
      const load = () =>
        db.transaction((tx) =>
          loadItems(
            tx,
            { ...place, tables: orderTables, dependents: [firstOrders], now, sealer: testSealer },
            ordersOf(payloads),
          ),
        );
      await load();
      const request = await askErasure(db, place, { customer: CUSTOMER });
      await runTask(privacyErase, { brandId: place.brandId, request }, db);
      expect(await load()).toMatchObject({ changed: 0, unchanged: payloads.length });
      expect(await tracesOf(db, place.brandId, [CUSTOMER])).toEqual([]);
    }),
    12,
  );
});
