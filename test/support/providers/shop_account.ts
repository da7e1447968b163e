import { shopify } from '#connectors/shopify/provider.ts';
import type { TestDb } from '../db/db.ts';
import type { ShopUnderTest } from './shopify.ts';

/** In reading order. */
export const STREAMS = shopify.streams.map(({ name }) => name);
export const at = (hour: number) => ({ now: `2026-11-20T${String(hour).padStart(2, '0')}:00:00Z` });
export const served = (hour: number, more: object = {}) => ({
  scenario: {
    ...at(hour),
    shops: { acme: { token: 'shpat_acme', currency: 'USD', zone: 'America/New_York', ...more } },
  },
});

export const order = (id: number, updated: string, more: object = {}) => ({
  ...{ id, processedAt: '2026-11-10T10:00:00Z', updatedAt: `2026-11-20T${updated}:00Z` },
  lineItems: [{ id: id * 10, originalUnitPriceSet: '10.00' }],
  ...more,
});
export const few = {
  'orders.ndjson': [order(1, '01:00', { customer: { id: 7 } }), order(2, '02:00')],
  'customers.ndjson': [{ id: 7, updatedAt: '2026-11-20T01:00:00Z' }],
  'products.ndjson': [
    { id: 100, updatedAt: '2026-11-20T01:00:00Z', variants: [{ id: 101, inventoryItem: { id: 102 } }] },
  ],
};
export const many = {
  ...few,
  'orders.ndjson': Array.from({ length: 1_500 }, (_, index) => order(index + 1, '01:00')),
};

export async function firstLoad(shop: ShopUnderTest, hour = 6): Promise<void> {
  for (const stream of STREAMS) await shop.sync(stream, at(hour));
}

export const statesOf = (db: TestDb, { brandId }: ShopUnderTest) =>
  db.rows<{ stream: string; state: string; complete_to: Date | null; last_success_at: Date }>(
    'select stream, state, complete_to, last_success_at from ops.positions where brand_id = $1 order by stream',
    [brandId],
  );
