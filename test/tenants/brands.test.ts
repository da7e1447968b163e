import { expect, test } from 'vitest';
import { changeReportingCurrency, changeTimeZone, findBrand, listBrands } from '#sql/tenants/brands.ts';
import { findRetailer, listRetailers } from '#sql/tenants/retailers.ts';
import { freshDb } from '../support/db/db.ts';
import { aBrand, aRetailer, aShop, twoShops } from '../support/rows/factory.ts';
import { loadFor } from '../support/rows/load.ts';
import { aThing, at, createThings, parts, thingTables } from '../support/rows/things.ts';

const now = at('2024-06-01T00:00:00Z');
const change = (brandId: string) => ({ brandId, tables: thingTables, now, actor: 'ann' });

test('brands and retailers are found by their slug, and those that there are are named', async () => {
  await using db = await freshDb();
  const brand = await aBrand(db, { slug: 'giftware' });
  const retailer = await aRetailer(db, { brandId: brand.id, slug: 'uk' });
  await aRetailer(db, { slug: 'uk' }); // of another brand
  expect(await findBrand(db, 'giftware')).toEqual(brand);
  expect(await findRetailer(db, brand.id, 'uk')).toEqual(retailer);
  expect(await listRetailers(db, brand.id)).toEqual([retailer]);
  expect(await listBrands(db)).toHaveLength(2);
  await expect(findBrand(db, 'gift')).rejects.toThrow(/There are: .*giftware/);
  await expect(findRetailer(db, brand.id, 'us')).rejects.toMatchObject({ code: 'NS_NAME_NOT_FOUND' });
  await expect(aBrand(db, { slug: 'giftware' })).rejects.toMatchObject({ code: 'NS_NAME_TAKEN' });
});

test.for(['Europe/Lodnon', 'EST5', '+05:30', 'europe/london', '', "UTC'; --"])(
  '%j is not a zone',
  async (timeZone) => {
    await using db = await freshDb();
    await expect(aBrand(db, { timeZone })).rejects.toMatchObject({ code: 'NS_TIME_ZONE_UNKNOWN' });
  },
);

test.for(['gbp', 'GB', 'XQQ', ''])('%j is not a currency', async (reportingCurrency) => {
  await using db = await freshDb();
  await expect(aBrand(db, { reportingCurrency })).rejects.toMatchObject({ code: 'NS_CURRENCY_UNKNOWN' });
});

test('a change of zone marks each day of the old zone and of the new one, of this brand only', async () => {
  await using db = await freshDb();
  await createThings(db);
  const [one, other] = await twoShops(db, { timeZone: 'UTC' });
  const booked_at = at('2024-03-10T20:00:00Z'); // the 11th in Tokyo
  const placed_at = at('2024-03-10T01:00:00Z');
  for (const shop of [one, other])
    await loadFor(db, shop, [aThing({ thing: { placed_at }, parts: [{ id: 'p', booked_at }] })]);
  await db.query('delete from ops.marks');

  const marked = await db.transaction((tx) => changeTimeZone(tx, 'Asia/Tokyo', change(one.brand.id)));
  expect(marked.retailerIds).toEqual([one.retailer.id]);
  expect(await db.rows('select retailer_id, day from ops.marks order by day')).toEqual([
    { retailer_id: one.retailer.id, day: '2024-03-10' },
    { retailer_id: one.retailer.id, day: '2024-03-11' },
  ]);
  expect((await findBrand(db, one.brand.slug)).timeZone).toBe('Asia/Tokyo');
  expect((await findBrand(db, other.brand.slug)).timeZone).toBe('UTC');
});

test('changes to what already is mark nothing and are not kept', async () => {
  await using db = await freshDb();
  await createThings(db);
  const shop = await aShop(db);
  await loadFor(db, shop, [aThing({ parts: [{ id: 'p' }] })]);
  await db.query('delete from ops.marks; delete from ops.audit_log');
  const nothing = { days: 0, retailerIds: [] };
  expect(await db.transaction((tx) => changeTimeZone(tx, 'Europe/London', change(shop.brand.id)))).toEqual(
    nothing,
  );
  expect(await db.transaction((tx) => changeReportingCurrency(tx, 'GBP', change(shop.brand.id)))).toEqual(
    nothing,
  );
  expect(await db.rows('select from ops.audit_log')).toEqual([]);

  await db.transaction((tx) => changeReportingCurrency(tx, 'JPY', change(shop.brand.id)));
  expect(await db.rows('select actor, action, target, before, after from ops.audit_log')).toEqual([
    {
      actor: 'ann',
      action: 'brands.reporting_currency',
      target: shop.brand.slug,
      before: { reportingCurrency: 'GBP' },
      after: { reportingCurrency: 'JPY' },
    },
  ]);
  expect(await db.column('select day from ops.marks')).toEqual(['2024-05-01']);
});

test('days of tombstones are marked too: a figure of theirs may still stand', async () => {
  await using db = await freshDb();
  await createThings(db);
  const shop = await aShop(db);
  const booked_at = at('2024-03-10T12:00:00Z');
  await loadFor(db, shop, [aThing({ parts: [{ id: 'p', booked_at }] })]);
  await loadFor(db, shop, [aThing({ changedAt: at('2024-05-02T00:00:00Z'), parts: [] })]);
  expect(await db.column(`select deleted_at is not null from ${parts.name}`)).toEqual([true]);
  await db.query('delete from ops.marks');
  await db.transaction((tx) => changeReportingCurrency(tx, 'JPY', change(shop.brand.id)));
  expect(await db.column('select day from ops.marks order by day')).toEqual(['2024-03-10', '2024-05-01']);
});
