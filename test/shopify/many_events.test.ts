/** More deletions than Shopify counts exactly. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { aShopOf } from '../support/providers/shopify.ts';

const MINUTE_MS = 60_000;
const EVENTS = 10_050;

test('a window that Shopify does not count exactly is divided until it does, so that each event is proved', async () => {
  await using db = await freshDb();
  const events = Array.from({ length: EVENTS }, (_, index) => ({
    ...{ action: 'destroy', subjectId: `gid://shopify/Customer/${index + 1}` },
    createdAt: new Date(Date.parse('2026-11-01T00:00:00Z') + index * MINUTE_MS).toISOString(),
  }));
  await using shop = await aShopOf(db, { 'events.ndjson': events });
  expect(await shop.sync('shopify.deletions')).toMatchObject({ incomplete: null });
  const windows = await db.rows<{ found: number; ok: boolean }>(
    "select found::int, ok from ops.completeness where check_name = 'events in window'",
  );
  expect(windows).toMatchObject([{ ok: true }]);
  expect(windows[0]?.found).toBeLessThan(EVENTS);
});
