import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Item } from '#sql/load/table.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShop } from '../support/rows/factory.ts';
import { aLoadBench, targetOf } from '../support/rows/load.ts';
import { anOrder, aProduct, loadOrders, loadProducts } from '../support/rows/raw_orders.ts';
import { aThing, at, parts, things } from '../support/rows/things.ts';

const STORED = 400;
const PARTS = 25;

const partsOf = (id: string, count = PARTS) =>
  Array.from({ length: count }, (_, n) => ({ id: `${id}-${n}`, quantity: n }));

function many(count: number, from = 0): Item[] {
  return Array.from({ length: count }, (_, n) => String(from + n)).map((id) =>
    aThing({ id, parts: partsOf(id) }),
  );
}

/** Rows of raw tables that `work` reads, in any way. */
async function rowsReadBy(db: TestDb, work: (tx: Tx) => Promise<unknown>): Promise<number> {
  return db.transaction(async (tx) => {
    const before = await rowsRead(tx);
    await work(tx);
    return (await rowsRead(tx)) - before;
  });
}

/** Counted since this session last reported its counts, which is never in a transaction. */
async function rowsRead(tx: Tx): Promise<number> {
  const { rows } = await tx.query(
    `select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::int as n
     from pg_stat_xact_user_tables where schemaname = 'raw'`,
  );
  return rows[0]?.n;
}

// Without statistics the planner took an index by (brand, connection, something else) for as good as
// the primary key, and read all rows of the connection for each staged row: minutes for one page.
test.for([
  ['a stored page again', many(STORED), STORED * (PARTS + 1)],
  ['one item of many', many(1), PARTS + 1],
  [
    'one item with other content',
    [aThing({ id: '7', thing: { name: 'n' }, parts: partsOf('7', 3) })],
    PARTS + 1,
  ],
  [
    'one large item',
    [aThing({ id: '1', changedAt: at('2024-05-02T00:00:00Z'), parts: partsOf('1', 5000) })],
    5000,
  ],
  ['new items only', many(50, STORED), 50 * (PARTS + 1)],
] satisfies [string, Item[], number][])(
  '%s reads about as many stored rows as it has',
  async ([, items, rows]) => {
    await using bench = await aLoadBench();
    const { db, shop } = bench;
    for (const { name } of [things, parts]) {
      await db.query(`alter table ${name} set (autovacuum_enabled = off)`); // it would give statistics
    }
    // An index that begins as the primary key does, made last: ties went to it.
    await db.query('create index on raw.parts (brand_id, connection_id, booked_at)');
    await bench.load(many(STORED));
    const read = await rowsReadBy(db, (tx) => loadItems(tx, targetOf(shop), items));
    expect(read).toBeLessThan(6 * rows);
  },
);

test('asking for what depends on an item reads no more than what does', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  const place = { brandId: brand.id, connectionId: connection.id };
  for (const name of await db.column(
    "select relname from pg_class where relname like 'shopify_%' and relkind = 'r'",
  )) {
    await db.query(`alter table raw.${name} set (autovacuum_enabled = off)`);
  }
  const orders = Array.from({ length: STORED }, (_, n) =>
    anOrder({
      id: String(n),
      customer: `c${n % 40}`,
      lines: [{ id: `${n}1`, variant: `v${n % 40}` }],
      sales: [{ total: '10.00', quantity: 1, line: `${n}1` }],
    }),
  );
  await db.transaction((tx) => loadOrders(tx, place, orders));
  // Ten orders of a customer; ten lines of a variant and their sales: before and after.
  const another = anOrder({ id: '9999', customer: 'c7' });
  expect(await rowsReadBy(db, (tx) => loadOrders(tx, place, [another]))).toBeLessThan(STORED / 4);
  const product = aProduct({ variant: 'v7', costs: [{ from: '2024-01-01T00:00:00Z', cost: '4' }] });
  expect(await rowsReadBy(db, (tx) => loadProducts(tx, place, [product]))).toBeLessThan(STORED / 4);
});
