/** Days are days of the brand's zone: 23, 24 or 25 hours long, and each instant lies in exactly one. */
import { expect, test } from 'vitest';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { changeReportingCurrency, changeTimeZone } from '#sql/tenants/brands.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { freshDb } from '../support/db/db.ts';
import { inForm } from '../support/property.ts';
import { aRetailer } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { aRolledShop, figures, roll, rollDirty } from '../support/rows/rolled.ts';

// Zone, a day on which its clock changes, and the last and first instants around that day in UTC.
const changes = [
  ['America/New_York', '2024-03-10', '2024-03-10T05:00:00Z', '2024-03-11T04:00:00Z', 23],
  ['America/New_York', '2024-11-03', '2024-11-03T04:00:00Z', '2024-11-04T05:00:00Z', 25],
  ['Europe/London', '2011-03-27', '2011-03-27T00:00:00Z', '2011-03-27T23:00:00Z', 23],
  ['Europe/London', '2011-10-30', '2011-10-29T23:00:00Z', '2011-10-31T00:00:00Z', 25],
  ['Pacific/Auckland', '2024-04-07', '2024-04-06T11:00:00Z', '2024-04-07T12:00:00Z', 25],
  ['Pacific/Auckland', '2024-09-29', '2024-09-28T12:00:00Z', '2024-09-29T11:00:00Z', 23],
  ['Europe/Berlin', '2024-03-31', '2024-03-30T23:00:00Z', '2024-03-31T22:00:00Z', 23],
  ['Europe/Berlin', '2024-10-27', '2024-10-26T22:00:00Z', '2024-10-27T22:59:59.999Z', 25],
  ['Asia/Kolkata', '2024-03-31', '2024-03-30T18:30:00Z', '2024-03-31T18:30:00Z', 24],
  // The clock goes back over midnight, or there is no midnight at all.
  ['America/Havana', '2024-11-03', '2024-11-03T04:00:00Z', '2024-11-04T05:00:00Z', 25],
  ['Asia/Beirut', '2024-03-31', '2024-03-30T22:00:00Z', '2024-03-31T21:00:00Z', 23],
] as const;

test.each(changes)(
  '%s on %s begins and ends where its clock says',
  async (timeZone, day, from, to, hours) => {
    await using shop = await aRolledShop({ timeZone });
    const start = Date.parse(from);
    const end = start + hours * 3_600_000;
    expect(Math.abs(end - Date.parse(to))).toBeLessThanOrEqual(1);
    const instants = [start - 1, start, (start + end) / 2, end - 1, end];
    const orders = instants.map((at, index) => anOrder({ id: `${index}`, at: new Date(at).toISOString() }));
    await roll(shop, { orders });
    const rows = await figures(shop.db, 'daily_sales', 'day, orders, units');
    expect(rows.map((row) => row.orders)).toEqual([1, 3, 1]);
    expect(rows[1]).toEqual({ day, orders: 3, units: 3 });
  },
);

// Many zones are alike all year. The short form looks at one of each kind, the full one at every name.
test('in every zone that PostgreSQL knows, each day of 2023 begins where the date first is that day', async () => {
  await using db = await freshDb();
  const wrong = await db.rows(`
    with zone as (
      select distinct on (${inForm('clock', 'name')}) name
      from pg_timezone_names
      cross join lateral (
        select array_agg(hour at time zone name order by hour)
        from generate_series('2022-12-30Z'::timestamptz, '2024-01-02Z', interval '3 hours') hour
      ) as year (clock)
      where name !~ '^(posix|right)/'
      order by ${inForm('clock, name', 'name')}
    )
    select zone.name, day
    from zone
    cross join generate_series('2023-01-01'::date, '2023-12-31', interval '1 day') series
    cross join lateral (select series::date as day, fact.day_start(series::date, zone.name) as starts_at) d
    where (starts_at at time zone zone.name)::date <> day
      or ((starts_at - interval '1 microsecond') at time zone zone.name)::date >= day`);
  expect(wrong).toEqual([]);
});

test('a change of zone moves every figure to its new day', async () => {
  await using shop = await aRolledShop({ timeZone: 'Europe/London' });
  const { db, brand } = shop;
  await roll(shop, { orders: [anOrder({ at: '2024-05-01T20:00:00Z' })] });
  const now = new Date();
  await db.transaction((tx) =>
    changeTimeZone(tx, 'Pacific/Auckland', { brandId: brand.id, tables: orderTables, now }),
  );
  await rollDirty(shop);
  for (const view of ['daily_sales', 'daily_product_sales', 'daily_country_sales'])
    expect(await figures(db, view, 'day, orders')).toMatchObject([{ day: '2024-05-02' }]);
});

test('a change marks each day once, however many tables and streams touch it', async () => {
  await using shop = await aRolledShop({ timeZone: 'Europe/London' });
  const { db, brand } = shop;
  const payments = [{ id: '7', at: '2024-05-01T20:00:00Z', amount: '1' }];
  await roll(shop, { orders: [anOrder({ at: '2024-05-01T20:00:00Z', payments })] });
  const tables = [...orderTables, ...orderTables]; // of orders, and of their deletions
  const change = { brandId: brand.id, tables, now: new Date() };
  expect(await db.transaction((tx) => changeTimeZone(tx, 'Pacific/Auckland', change))).toMatchObject({
    days: 2,
  });
  expect(await db.column('select day from ops.marks where retailer_id is not null order by day')).toEqual([
    ...['2024-05-01', '2024-05-02'],
  ]);
});

test('a change of the reporting currency reaches every row', async () => {
  await using shop = await aRolledShop({ reportingCurrency: 'GBP' });
  const { db, brand } = shop;
  await roll(shop, { orders: [anOrder()] });
  const change = { brandId: brand.id, tables: orderTables, now: new Date() };
  await db.transaction((tx) => changeReportingCurrency(tx, 'USD', change));
  await rollDirty(shop);
  expect(await figures(db, 'daily_sales', 'reporting_currency, fx_rate, fx_cause')).toEqual([
    { reporting_currency: 'USD', fx_rate: null, fx_cause: 'no_rate' },
  ]);
});

test('a shop that moves to another retailer takes its figures along', async () => {
  await using shop = await aRolledShop();
  const { db, brand, connection } = shop;
  await roll(shop, { orders: [anOrder()] });
  const retailer = await aRetailer(db, { brandId: brand.id });
  const move = { brandId: brand.id, connectionId: connection.id, retailerId: retailer.id };
  await db.transaction((tx) => moveConnection(tx, { ...move, tables: orderTables, now: new Date() }));
  await rollDirty(shop);
  await rollDirty({ ...shop, retailer });
  expect(await figures(db, 'daily_sales', 'retailer, orders')).toEqual([
    { retailer: retailer.slug, orders: 1 },
  ]);
});

test('an order that arrives in an older version later changes nothing', async () => {
  await using shop = await aRolledShop();
  const newer = anOrder({ at: '2024-05-03T12:00:00Z', version: '2024-05-09T00:00:00Z' });
  await roll(shop, { orders: [newer] });
  const older = anOrder({ version: '2024-05-08T00:00:00Z', sales: [{ quantity: 5, total: '1.00' }] });
  await shop.db.transaction((tx) => loadOrders(tx, shop.place, [older]));
  expect(await rollDirty(shop)).toMatchObject({ days: 0, written: 0, deleted: 0 });
  expect(await figures(shop.db, 'daily_sales', 'day, units')).toEqual([{ day: '2024-05-03', units: 1 }]);
});
