/** What has no current version: events, figures of days, readings of counters. */
import { expect, test } from 'vitest';
import { loadItems } from '#sql/load/load.ts';
import { type Item, type Row, type Table, table } from '#sql/load/table.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';
import { at } from '../support/rows/things.ts';

const opens: Table = table({
  name: 'raw.opens',
  personal: null,
  key: ['id'],
  keeps: 'events',
  columns: { id: 'text', opened_at: 'timestamptz', device: 'text' },
  marks: { opened_at: 'emails' },
});

const spend: Table = table({
  name: 'raw.spend',
  personal: null,
  key: ['campaign_id', 'day'],
  rootColumn: 'campaign_id',
  keeps: 'days',
  columns: { campaign_id: 'text', day: 'date', amount: 'numeric' },
  marks: { day: 'spend' },
});

const views: Table = table({
  name: 'raw.views',
  personal: null,
  key: ['id', 'read_at'],
  rootColumn: 'id',
  keeps: 'counters',
  columns: { id: 'text', read_at: 'timestamptz', views: 'integer' },
  marks: { read_at: 'social' },
});

const NOW = at('2024-06-01T00:00:00Z');

/** Two tenants in New York, and the tables. */
async function aBench() {
  const db = await freshDb();
  for (const { name, columns, key } of [opens, spend, views]) {
    const list = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
    await db.query(`create table ${name} (brand_id uuid not null, connection_id uuid not null, ${list},
      changed_at timestamptz not null, seen_at timestamptz not null, deleted_at timestamptz,
      primary key (brand_id, connection_id, ${key}))`);
  }
  const [shop, other] = await twoShops(db, { timeZone: 'America/New_York' });
  return { db, shop, other, [Symbol.asyncDispose]: db[Symbol.asyncDispose] };
}

function load(db: TestDb, { brand, connection }: Shop, root: Table, rows: readonly Row[], changedAt = NOW) {
  const idColumn = root.rootColumn ?? 'id';
  const items: Item[] = rows.map((row) => ({
    id: String(row[idColumn]),
    changedAt,
    rows: { [root.name]: [row] },
  }));
  const target = { brandId: brand.id, connectionId: connection.id, tables: tablesOf(root), now: NOW };
  return db.transaction((tx) => loadItems(tx, target, items));
}

const lists = new Map([opens, spend, views].map((one) => [one, [one] as const]));
const tablesOf = (root: Table) => lists.get(root) ?? [root];

async function marked(db: TestDb, { brand }: Shop): Promise<unknown[]> {
  const days = await db.column('select distinct day from ops.marks where brand_id = $1 order by day', [
    brand.id,
  ]);
  await db.query('delete from ops.marks where brand_id = $1', [brand.id]);
  return days;
}

test('an event is stored once and never changed, and marks its day in the zone of the brand', async () => {
  await using bench = await aBench();
  const { db, shop, other } = bench;
  const open = { id: 'o1', opened_at: at('2024-05-02T03:00:00Z'), device: 'phone' };
  expect(await load(db, shop, opens, [open])).toMatchObject({ read: 1, changed: 1, days: 1 });
  expect(await marked(db, shop)).toEqual(['2024-05-01']);
  const next = { id: 'o2', opened_at: at('2024-05-03T12:00:00Z'), device: null };
  expect(await load(db, shop, opens, [{ ...open, device: 'tablet' }, next, next])).toMatchObject({
    ...{ read: 3, changed: 1, unchanged: 2, days: 1 },
  });
  expect(await marked(db, shop)).toEqual(['2024-05-03']);
  expect(await load(db, other, opens, [{ ...open, device: 'desk' }])).toMatchObject({ changed: 1 });
  expect(await db.column('select device from raw.opens where id = $1 order by device', ['o1'])).toEqual([
    'desk',
    'phone',
  ]);
});

test('a later reading of a day replaces what differs, an older one and an equal one nothing', async () => {
  await using bench = await aBench();
  const { db, shop, other } = bench;
  const first = [
    { campaign_id: 'c', day: '2024-05-01', amount: '1.5' },
    { campaign_id: 'c', day: '2024-05-02', amount: '2' },
  ];
  expect(await load(db, shop, spend, first)).toMatchObject({ changed: 2, days: 2 });
  expect(await marked(db, shop)).toEqual(['2024-05-01', '2024-05-02']); // dates as the provider gives them
  await load(db, other, spend, first);
  const restated = [first[0] as Row, { campaign_id: 'c', day: '2024-05-02', amount: '2.5' }];
  expect(await load(db, shop, spend, restated, at('2024-06-01T00:00:01Z'))).toMatchObject({
    changed: 1,
    unchanged: 1,
  });
  expect(await marked(db, shop)).toEqual(['2024-05-02']);
  expect(await load(db, shop, spend, first)).toMatchObject({ changed: 0, days: 0 });
  expect(
    await db.column('select amount from raw.spend where brand_id = $1 order by day', [shop.brand.id]),
  ).toEqual(['1.5', '2.5']);
  expect(
    await db.column('select amount from raw.spend where brand_id = $1 order by day', [other.brand.id]),
  ).toEqual(['1.5', '2']);
  expect(await marked(db, shop)).toEqual([]);
});

test('a reading of a counter marks its day, and the day of the next one if it comes in between', async () => {
  await using bench = await aBench();
  const { db, shop, other } = bench;
  const reading = (day: number, count: number) => ({
    id: 'p',
    read_at: at(`2024-05-0${day}T16:00:00Z`),
    views: count,
  });
  await load(db, other, views, [reading(4, 1)]);
  expect(await load(db, shop, views, [reading(1, 10), reading(5, 30)])).toMatchObject({ changed: 2 });
  expect(await marked(db, shop)).toEqual(['2024-05-01', '2024-05-05']);
  expect(await load(db, shop, views, [reading(6, 30)])).toMatchObject({ changed: 0, days: 0 }); // adds nothing
  expect(await load(db, shop, views, [reading(3, 25)])).toMatchObject({ changed: 1, days: 2 });
  expect(await marked(db, shop)).toEqual(['2024-05-03', '2024-05-05']);
  const added = `select (read_at at time zone 'America/New_York')::date as day,
    views - coalesce(lag(views) over (partition by id order by read_at), 0) as added
    from raw.views where brand_id = $1 order by 1`;
  expect(await db.rows(added, [shop.brand.id])).toEqual([
    { day: '2024-05-01', added: 10 },
    { day: '2024-05-03', added: 15 },
    { day: '2024-05-05', added: 5 },
  ]);
});

test('a day that there is none of sets the record aside, and nothing below such rows is loaded', async () => {
  await using bench = await aBench();
  const { db, shop } = bench;
  const row = { campaign_id: 'c', day: '2024-02-30', amount: '1' };
  await expect(load(db, shop, spend, [row])).rejects.toMatchObject({ code: 'NS_ROW_UNFIT' });
  const tables = [opens, views];
  const target = { brandId: shop.brand.id, connectionId: shop.connection.id, tables, now: NOW };
  const gone = [{ id: 'o1', deletedAt: NOW }];
  await expect(db.transaction((tx) => loadItems(tx, target, [], gone))).rejects.toThrow(/keeps events/);
});
