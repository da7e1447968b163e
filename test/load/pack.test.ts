import { expect, test } from 'vitest';
import { streams } from '#connectors/providers.ts';
import { loadItems } from '#sql/load/load.ts';
import { pack } from '#sql/load/pack.ts';
import { rootColumnOf } from '#sql/load/statements.ts';
import type { Item } from '#sql/load/table.ts';
import { freshDb } from '../support/db/db.ts';
import { aLoadBench, type LoadBench, targetOf } from '../support/rows/load.ts';
import { aThing, at, parts, things, thingTables } from '../support/rows/things.ts';

const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-02T10:00:00Z');

const whole = aThing({
  thing: { name: 'tab\tline\nback\\slash', tags: ['a "b"', 'c,\nd'], payload: { text: 'tab\tline\n' } },
  parts: [{ id: 'p1' }, { id: 'p2', quantity: 2, booked_at: at('2024-06-01T12:00:00Z') }],
  prices: [{ id: 'v', valid_from: v1, price: '1.50' }],
});
const packed = (item: Item) => pack({ tables: thingTables }, item);

const stored = ({ db }: LoadBench) =>
  db.rows(`select to_jsonb(t) - 'brand_id' - 'connection_id' as thing,
                  (select jsonb_agg(to_jsonb(p) - 'brand_id' - 'connection_id' order by id) from raw.parts p) as parts,
                  (select jsonb_agg(to_jsonb(p) - 'brand_id' - 'connection_id' order by id) from raw.prices p) as prices
           from raw.things t`);

test('a packed item is stored as it would be with its rows, and each knows the other again', async () => {
  await using plain = await aLoadBench();
  await using bench = await aLoadBench();
  const load = (item: Parameters<typeof loadItems>[2][number]) =>
    bench.db.transaction((tx) => loadItems(tx, targetOf(bench.shop), [item]));
  const tally = await plain.load([whole]);
  expect(await load(packed(whole))).toEqual(tally);
  expect(await stored(bench)).toEqual(await stored(plain));
  expect(await bench.marked()).toEqual(await plain.marked());
  const before = await bench.headers();
  expect(await load(packed(whole))).toMatchObject({ changed: 0, unchanged: 1, days: 0 });
  expect(await load(whole)).toMatchObject({ changed: 0, unchanged: 1, days: 0 });
  expect(await bench.headers()).toEqual(before);
});

test('a dated row that comes twice in a page is taken by its whole key', async () => {
  await using bench = await aLoadBench();
  const prices = (first: string) => [
    { id: 'v', valid_from: v1, price: first },
    { id: 'v', valid_from: v2, price: '9' },
  ];
  await bench.load([
    aThing({ id: '1', changedAt: v1, prices: prices('5') }),
    aThing({ id: '2', changedAt: v2, prices: prices('6').slice(0, 1) }),
  ]);
  const rows = await bench.db.rows('select thing_id, price from raw.prices order by valid_from');
  expect(rows).toEqual([
    { thing_id: '2', price: '6' },
    { thing_id: '1', price: '9' },
  ]);
});

test('what is packed for other tables is refused', async () => {
  await using bench = await aLoadBench();
  const tables = [things, parts];
  const load = bench.db.transaction((tx) => loadItems(tx, targetOf(bench.shop, { tables }), [packed(whole)]));
  await expect(load).rejects.toThrow('1 is packed for other tables');
});

// A lookup of a child by its root would else read the whole connection, for each object of a page.
test('every child table has an index that begins with the brand, the connection and the root', async () => {
  await using db = await freshDb();
  const tables = new Set(streams.flatMap((stream) => stream.tables));
  const wanted = [...tables].map((table) => [table.name, rootColumnOf(table)]);
  const without = await db.rows(
    `select w.name from unnest($1::text[], $2::text[]) as w (name, root)
     where not exists (
       select from pg_indexes i where i.schemaname || '.' || i.tablename = w.name
         and i.indexdef ~ ('\\(brand_id, connection_id, ' || w.root || '[,)]') and i.indexdef !~ ' WHERE ')
     order by 1`,
    [wanted.map(([name]) => name), wanted.map(([, root]) => root)],
  );
  expect(without).toEqual([]);
});
