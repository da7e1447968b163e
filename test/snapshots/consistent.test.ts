/** Writers go on while snapshots are made: each is one instant of all tables. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { inForm } from '../support/property.ts';
import { aShop } from '../support/rows/factory.ts';
import { aStore, makeSnapshot } from '../support/snapshots/snapshots.ts';

const SNAPSHOTS = inForm(5, 50);
const WRITERS = 3;

test('what is written to two tables at once is in both, or in neither', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const { brand, connection } = await aShop(db);
  let isOver = false;
  const writing = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; !isOver; n++) {
      const key = [brand.id, connection.id, `${writer}-${n}`];
      await db.transaction(async (tx) => {
        await tx.query(
          `insert into raw.shopify_products (brand_id, connection_id, id, title, status, created_at, changed_at, seen_at)
           values ($1, $2, $3, '', '', '2026-01-01Z', now(), now())`,
          key,
        );
        await tx.query(
          `insert into ops.early_deletions (brand_id, connection_id, table_name, id, deleted_at, seen_at)
           values ($1, $2, 'x', $3, now(), now())`,
          key,
        );
      });
    }
  });
  const counts: number[] = [];
  for (let made = 0; made < SNAPSHOTS; made++) {
    const { parts } = await makeSnapshot(db, place.store, brand);
    const rowsOf = (table: string) =>
      parts.filter((part) => part.table === table).reduce((sum, { rows }) => sum + rows, 0);
    counts.push(rowsOf('raw.shopify_products'));
    expect(rowsOf('ops.early_deletions')).toBe(counts.at(-1));
  }
  isOver = true;
  await Promise.all(writing);
  expect(new Set(counts).size).toBeGreaterThan(1); // they did write meanwhile
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
});
