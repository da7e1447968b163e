/** What a column marks follows from its type: an instant and a date a day, a text the object of that id. */
import { expect, test } from 'vitest';
import { loadItems } from '#sql/load/load.ts';
import { statementsOf } from '#sql/load/statements.ts';
import { type Row, table } from '#sql/load/table.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';
import { at } from '../support/rows/things.ts';

const bookings = table({
  name: 'raw.bookings',
  personal: null,
  key: ['id'],
  columns: { id: 'text', customer_id: 'text', due: 'date', made_at: 'timestamptz' },
  marks: { customer_id: 'customers', due: 'dues', made_at: 'sales' },
});
const guests = table({
  name: 'raw.guests',
  personal: null,
  key: ['id'],
  rootColumn: 'booking_id',
  columns: { id: 'text', booking_id: 'text', arrives: 'date' },
  marks: { arrives: 'dues' },
});
const tables = [bookings, guests];
const now = at('2024-06-01T00:00:00Z');

async function aBench() {
  const db = await freshDb();
  for (const { name, columns } of tables)
    await db.query(`create table ${name} (brand_id uuid, connection_id uuid,
      ${Object.entries(columns).map(([column, type]) => `${column} ${type}`)},
      changed_at timestamptz, seen_at timestamptz, deleted_at timestamptz, primary key (brand_id, connection_id, id))`);
  const [shop, other] = await twoShops(db, { timeZone: 'America/New_York' });
  return { db, shop, other, [Symbol.asyncDispose]: db[Symbol.asyncDispose] };
}

const booking = { id: '1', customer_id: 'c1', due: '2024-05-10', made_at: at('2024-05-01T02:00:00Z') };

function load(db: TestDb, { brand, connection }: Shop, more: Row, version: string, arrives: string[]) {
  const rows = {
    [bookings.name]: [{ ...booking, ...more }],
    [guests.name]: arrives.map((day, index) => ({ id: `g${index}`, booking_id: '1', arrives: day })),
  };
  const target = { brandId: brand.id, connectionId: connection.id, tables, now };
  const item = { id: '1', changedAt: at(version), rows };
  return db.transaction((tx) => loadItems(tx, target, [item]));
}

/** The marks, each once, and forgets them. */
async function marked(db: TestDb, { brand }: Shop): Promise<unknown[]> {
  const { rows } = await db.query<{ mark: string }>(
    `with gone as (delete from ops.marks where brand_id = $1 returning *)
     select distinct concat_ws(' ', subject, day, object) as mark from gone order by 1`,
    [brand.id],
  );
  return rows.map(({ mark }) => mark);
}

test('a changed item marks days and objects, those before the change and those after', async () => {
  await using bench = await aBench();
  const { db, shop, other } = bench;
  const [mine, theirs] = [shop.connection.id, other.connection.id];
  await load(db, shop, {}, '2024-05-01T00:00:00Z', ['2024-05-11', '2024-05-12']);
  expect(await marked(db, shop)).toEqual([
    `customers ${mine} c1`,
    ...['dues 2024-05-10', 'dues 2024-05-11', 'dues 2024-05-12', 'sales 2024-04-30'],
  ]);
  await load(db, other, {}, '2024-05-01T00:00:00Z', []);
  expect(await marked(db, other)).toEqual([`customers ${theirs} c1`, 'dues 2024-05-10', 'sales 2024-04-30']);
  const later = { customer_id: 'c2', due: '2024-05-20' };
  await load(db, shop, later, '2024-05-02T00:00:00Z', ['2024-05-11', '2024-05-13']);
  expect(await marked(db, shop)).toEqual([
    ...[`customers ${mine} c1`, `customers ${mine} c2`],
    ...['dues 2024-05-10', 'dues 2024-05-11', 'dues 2024-05-12', 'dues 2024-05-13', 'dues 2024-05-20'],
    'sales 2024-04-30',
  ]);
  await load(db, shop, { customer_id: null }, '2024-05-03T00:00:00Z', ['2024-05-11', '2024-05-13']);
  expect(await marked(db, shop)).toContain(`customers ${mine} c2`);
  expect(await marked(db, other)).toEqual([]);
});

test('another zone of the brand marks all of them, dates as they are', async () => {
  await using bench = await aBench();
  const { db, shop, other } = bench;
  for (const one of [shop, other]) await load(db, one, {}, '2024-05-01T00:00:00Z', ['2024-05-11']);
  await marked(db, shop);
  await db.transaction((tx) => changeTimeZone(tx, 'Asia/Kolkata', { brandId: shop.brand.id, tables, now }));
  expect(await marked(db, shop)).toEqual([
    `customers ${shop.connection.id} c1`,
    ...['dues 2024-05-10', 'dues 2024-05-11', 'sales 2024-04-30', 'sales 2024-05-01'],
  ]);
  expect(await db.column('select distinct brand_id from ops.marks')).toEqual([other.brand.id]);
});

test('a column that is neither a day nor an object can mark nothing', () => {
  const wrong = table({ ...bookings, columns: { ...bookings.columns, due: 'integer' } });
  expect(() => statementsOf([wrong])).toThrow(
    'due cannot mark anything: integer is neither a day nor an object',
  );
});
