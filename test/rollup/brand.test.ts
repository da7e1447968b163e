/**
 * Connections of a whole brand: their rows mark days of the brand and of the retailers that have parts of them,
 * and rollups of both kinds are made from the same rows.
 */
import { expect, test } from 'vitest';
import type { Db } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import type { Owner } from '#sql/dirty/marks.ts';
import { composeRollup } from '#sql/rollups/define.ts';
import { runMarked, runRollups } from '#sql/rollups/run.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { beginRemoval } from '#sql/tenants/removal.ts';
import { freshDb } from '../support/db/db.ts';
import { aRetailer, type Shop, twoShops } from '../support/rows/factory.ts';
import { loadFor } from '../support/rows/load.ts';
import { aThing, at, createThings, thingTables } from '../support/rows/things.ts';

const now = new Date('2024-06-01T00:00:00Z');
const shared = {
  measures: ['things', 'amount'],
  changesWith: ['sales'],
};
const ofBrand = {
  ...shared,
  name: 'brand_things',
  of: 'brand' as const,
  reads: ['raw.things'] as const,
  writes: 'agg.brand_things' as const,
  grain: ['brand_id', 'day'],
  fresh: `
    select w.day, count(*) as things, sum(t.amount) as amount
    from spans w
    join raw.things t on t.brand_id = $1 and t.connection_id = w.connection_id and t.deleted_at is null
     and t.placed_at >= w.starts_at and t.placed_at < w.ends_at
    group by w.day`,
};
const ofRetailers = {
  ...shared,
  name: 'part_things',
  reads: ['raw.things'] as const,
  writes: 'agg.part_things' as const,
  grain: ['brand_id', 'retailer_id', 'day'],
  fresh: `
    select w.retailer_id, w.day, count(*) as things, sum(t.amount) as amount
    from wanted w
    join app.connection_parts p on p.brand_id = $1 and p.retailer_id = w.retailer_id
    join raw.things t on t.brand_id = $1 and t.connection_id = p.connection_id and t.name = p.part
     and t.deleted_at is null and t.placed_at >= w.starts_at and t.placed_at < w.ends_at
    group by w.retailer_id, w.day`,
};
const rollups = [ofBrand, ofRetailers].map(composeRollup);

/** Two brands with a connection of the whole brand each, of which a part belongs to a retailer. */
async function twoBrands(db: Db): Promise<readonly [Shop, Shop]> {
  await createThings(db);
  const figures = 'day date, things bigint, amount numeric, computed_at timestamptz';
  await db.query(`
    create table agg.brand_things (brand_id uuid, ${figures}, primary key (brand_id, day));
    create table agg.part_things (brand_id uuid, retailer_id uuid, ${figures}, primary key (brand_id, retailer_id, day))`);
  const shops = await twoShops(db);
  for (const { brand, retailer, connection } of shops) {
    await db.query("update app.connections set level = 'brand', retailer_id = null where id = $1", [
      connection.id,
    ]);
    await db.query("insert into app.connection_parts values ($1, $2, 'mine', $3)", [
      ...[brand.id, connection.id, retailer.id],
    ]);
  }
  return shops;
}

const thing = (id: string, name: string, placed: string, version = placed) =>
  aThing({ id, changedAt: at(version), thing: { name, placed_at: at(placed) } });

async function roll(db: Db, { brand, retailer }: Shop): Promise<void> {
  for (const owner of [null, retailer.id] as Owner[])
    await db.transaction(async (tx) => {
      const marks = await claimMarks(tx, brand.id, owner, { days: 60, objects: 60 });
      await runMarked(tx, rollups, { brandId: brand.id, retailerId: owner, marks, now });
    });
}

async function figuresOf(db: Db, { brand }: Shop) {
  const { rows } = await db.query(
    `select null as of, day, things from agg.brand_things where brand_id = $1
     union all select 'retailer', day, things from agg.part_things where brand_id = $1 order by 1 nulls first, 2`,
    [brand.id],
  );
  return rows;
}

test('rows of a brand make figures of the brand, and of a retailer as far as their part is its own', async () => {
  await using db = await freshDb();
  const [one, other] = await twoBrands(db);
  const bystander = await aRetailer(db, { brandId: one.brand.id });
  const items = [thing('1', 'mine', '2024-05-01T09:00:00Z'), thing('2', 'ours', '2024-05-02T09:00:00Z')];
  for (const shop of [one, other]) await loadFor(db, shop, items);
  const owners = await db.column('select distinct retailer_id from ops.marks where brand_id = $1', [
    one.brand.id,
  ]);
  expect(new Set(owners)).toEqual(new Set([null, one.retailer.id]));
  expect(owners).not.toContain(bystander.id);
  for (const shop of [one, other]) await roll(db, shop);
  const first = [
    { of: null, day: '2024-05-01', things: 1 },
    { of: null, day: '2024-05-02', things: 1 },
    { of: 'retailer', day: '2024-05-01', things: 1 },
  ];
  expect(await figuresOf(db, one)).toEqual(first);
  await loadFor(db, one, [thing('2', 'mine', '2024-05-03T09:00:00Z', '2024-05-20T00:00:00Z')]);
  await roll(db, one);
  expect(await figuresOf(db, one)).toEqual([
    { of: null, day: '2024-05-01', things: 1 },
    { of: null, day: '2024-05-03', things: 1 },
    { of: 'retailer', day: '2024-05-01', things: 1 },
    { of: 'retailer', day: '2024-05-03', things: 1 },
  ]);
  expect(await figuresOf(db, other)).toEqual(first);
  const days = ['2024-05-01', '2024-05-02', '2024-05-03'];
  for (const retailerId of [null, one.retailer.id]) {
    const whole = await db.transaction((tx) =>
      runRollups(tx, rollups, { brandId: one.brand.id, retailerId, days, now }),
    );
    expect(whole).toMatchObject({ written: 0, deleted: 0 });
  }
});

test('a change of zone and the removal of the connection reach the figures of the brand', async () => {
  await using db = await freshDb();
  const [one, other] = await twoBrands(db);
  for (const shop of [one, other]) {
    await loadFor(db, shop, [thing('1', 'mine', '2024-05-01T23:30:00Z')]);
    await roll(db, shop);
  }
  const before = await figuresOf(db, other);
  const change = { brandId: one.brand.id, tables: thingTables, now };
  const { retailerIds } = await db.transaction((tx) => changeTimeZone(tx, 'America/New_York', change));
  expect(new Set(retailerIds)).toEqual(new Set([null, one.retailer.id]));
  await roll(db, one);
  expect(await figuresOf(db, one)).toEqual([
    { of: null, day: '2024-05-01', things: 1 },
    { of: 'retailer', day: '2024-05-01', things: 1 },
  ]);
  const gone = await db.transaction((tx) =>
    beginRemoval(tx, { ...change, connectionId: one.connection.id, actor: 'test' }),
  );
  expect(new Set(gone.retailerIds)).toEqual(new Set([null, one.retailer.id]));
  await db.transaction(async (tx) => {
    const marks = await claimMarks(tx, one.brand.id, null, { days: 60, objects: 60 });
    await runMarked(tx, rollups, { brandId: one.brand.id, retailerId: null, marks, now });
  });
  expect((await figuresOf(db, one)).filter(({ of }) => of === null)).toEqual([]);
  expect(await figuresOf(db, other)).toEqual(before);
});
