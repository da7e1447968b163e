import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { lockRollup, markAllDays } from '#sql/dirty/marks.ts';
import { loadItems } from '#sql/load/load.ts';
import { changeReportingCurrency, changeTimeZone } from '#sql/tenants/brands.ts';
import { holdConnection } from '#sql/tenants/connections.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { openTransaction, waitUntilBlocked } from '../support/db/sessions.ts';
import { aConnection, aRetailer } from '../support/rows/factory.ts';
import { aLoadBench, type LoadBench, targetOf } from '../support/rows/load.ts';
import { aThing, at, thingTables } from '../support/rows/things.ts';

const now = at('2024-06-01T00:00:00Z');
const v2 = at('2024-05-02T00:00:00Z');
const changed = aThing({ changedAt: v2, thing: { amount: '20' } });

/** What a rollup does: takes marks, then computes their days from what it sees. */
async function rollUp({ shop }: LoadBench, tx: Tx, figures: Map<string, string>): Promise<string[]> {
  const days = (await claimMarks(tx, shop.brand.id, shop.retailer.id, { days: 100, objects: 100 })).map(
    ({ day }) => String(day),
  );
  for (const day of days) {
    const { rows } = await tx.query(
      "select coalesce(sum(amount), 0) as amount from raw.things where (placed_at at time zone 'UTC')::date = $1",
      [day],
    );
    figures.set(day, rows[0]?.amount);
  }
  return days;
}

/** A rollup runs while a load that has found the day marked already is not committed yet. */
async function loadMeetsRollup(bench: LoadBench): Promise<string | undefined> {
  const { db, shop } = bench;
  const figures = new Map<string, string>();
  await bench.load([aThing({ thing: { amount: '10' } })]);
  await using loading = await openTransaction(db);
  await loadItems(loading.tx, targetOf(shop), [changed]);
  await db.transaction((tx) => rollUp(bench, tx, figures));
  expect(figures).toEqual(new Map([['2024-05-01', '10']]));
  await loading.commit();
  await db.transaction((tx) => rollUp(bench, tx, figures));
  return figures.get('2024-05-01');
}

test('a mark that commits after the claim is left for the next rollup', async () => {
  await using bench = await aLoadBench();
  expect(await loadMeetsRollup(bench)).toBe('20');
});

test('the same with one mark per day, which is kept where there is one, loses the change', async () => {
  await using bench = await aLoadBench();
  await bench.db.query(`
    create function ops.keep_old_mark() returns trigger language plpgsql as $$
    begin
      return case when exists (select from ops.marks d where (d.brand_id, d.retailer_id, d.day)
                               = (new.brand_id, new.retailer_id, new.day)) then null else new end;
    end $$;
    create trigger keep_old_mark before insert on ops.marks for each row execute function ops.keep_old_mark()`);
  expect(await loadMeetsRollup(bench)).toBe('10');
});

test('two rollups of a retailer follow each other, and the second sees what came while it waited', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const figures = new Map<string, string>();
  await bench.load([aThing()]);
  await using first = await openTransaction(db);
  await using second = await openTransaction(db);
  expect(await rollUp(bench, first.tx, figures)).toEqual(['2024-05-01']);
  const waiting = rollUp(bench, second.tx, figures);
  await waitUntilBlocked(db, second, first);
  await bench.load([changed]);
  await first.commit();
  expect(await waiting).toEqual(['2024-05-01']);
  expect(figures.get('2024-05-01')).toBe('20');

  // Another retailer of the brand has nothing to wait for.
  await using other = await openTransaction(db);
  const { id } = await aRetailer(db, { brandId: shop.brand.id });
  await lockRollup(other.tx, shop.brand.id, id);
});

test('a claim takes whole days, oldest first, and leaves marks that somebody else is taking', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const days = ['2024-03-03', '2024-03-01', '2024-03-02', '2024-03-01'];
  await db.query(
    "insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) select $1, $2, 'sales', unnest($3::date[]), now()",
    [shop.brand.id, shop.retailer.id, days],
  );
  const claim = async (tx: Tx, limit: number) =>
    (await claimMarks(tx, shop.brand.id, shop.retailer.id, { days: limit, objects: limit })).map(
      ({ day }) => day,
    );
  expect(await db.transaction((tx) => claim(tx, 2))).toEqual(['2024-03-01', '2024-03-02']);
  expect(await db.column('select day from ops.marks')).toEqual(['2024-03-03']);
  await using taking = await openTransaction(db);
  await taking.tx.query('select from ops.marks for update');
  expect(await db.transaction((tx) => claim(tx, 2))).toEqual([]);
  await taking.commit();
  expect(await db.transaction((tx) => claim(tx, 2))).toEqual(['2024-03-03']);
});

// 2024-05-01 at 09:00 UTC is the 1st in London and the 1st in Auckland; at 13:00 it is the 2nd there.
const evening = aThing({ id: '9', thing: { placed_at: at('2024-05-01T13:00:00Z') } });
const zone = (bench: LoadBench) => ({
  brandId: bench.shop.brand.id,
  tables: thingTables,
  now,
  actor: 'test',
});

test('a change of zone waits for a running load and marks its rows, by the old zone and the new one', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  await using loading = await openTransaction(db);
  await using changing = await openTransaction(db);
  await loadItems(loading.tx, targetOf(shop), [evening]);
  const change = changeTimeZone(changing.tx, 'Pacific/Auckland', zone(bench));
  await waitUntilBlocked(db, changing, loading);
  await loading.commit();
  expect(await change).toEqual({ days: 2, retailerIds: [shop.retailer.id] });
  await changing.commit();
  expect(await bench.marked()).toEqual(['2024-05-01', '2024-05-02']);
});

test('a change of zone that only updates the brand does not wait, and misses what is being loaded', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  await using loading = await openTransaction(db);
  await loadItems(loading.tx, targetOf(shop), [evening]);
  await db.transaction(async (tx) => {
    await tx.query("update app.brands set time_zone = 'Pacific/Auckland' where id = $1", [shop.brand.id]);
    const timeZones = ['Europe/London', 'Pacific/Auckland'];
    await markAllDays(tx, {
      ...{ brandId: shop.brand.id, timeZones, tables: thingTables, cause: 'changed_definition', now },
    });
  });
  await loading.commit();
  expect(await bench.marked()).toEqual(['2024-05-01']); // the day of the new zone is lost
});

test('a load waits for a change of zone and goes by the new one', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  await using loading = await openTransaction(db);
  await using changing = await openTransaction(db);
  await changeTimeZone(changing.tx, 'Pacific/Auckland', zone(bench));
  const load = loadItems(loading.tx, targetOf(shop), [evening]);
  await waitUntilBlocked(db, loading, changing);
  await changing.commit();
  await load;
  await loading.commit();
  expect(await bench.marked()).toEqual(['2024-05-02']);
});

test('a change of the reporting currency waits for a running load and marks every day', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  await bench.load([aThing()]);
  await bench.marked();
  await using loading = await openTransaction(db);
  await using changing = await openTransaction(db);
  await loadItems(loading.tx, targetOf(shop), [aThing({ id: '9', thing: { placed_at: v2 } })]);
  const change = changeReportingCurrency(changing.tx, 'EUR', zone(bench));
  await waitUntilBlocked(db, changing, loading);
  await loading.commit();
  expect(await change).toEqual({ days: 2, retailerIds: [shop.retailer.id] });
  await changing.commit();
  expect(await bench.marked()).toEqual(['2024-05-01', '2024-05-02']);
});

test('a connection that moves waits for its running load and marks all its days for both retailers', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const target = await aRetailer(db, { brandId: shop.brand.id });
  await using loading = await openTransaction(db);
  await using moving = await openTransaction(db);
  await loadItems(loading.tx, targetOf(shop), [aThing()]);
  const which = { brandId: shop.brand.id, connectionId: shop.connection.id, retailerId: target.id };
  const move = moveConnection(moving.tx, { ...which, tables: thingTables, now });
  await waitUntilBlocked(db, moving, loading);
  await loading.commit();
  expect(await move).toEqual({ days: 2, retailerIds: [shop.retailer.id, target.id] });
  await moving.commit();
  const marks = await db.rows('select distinct retailer_id, day from ops.marks');
  expect(new Set(marks)).toEqual(
    new Set([shop.retailer.id, target.id].map((retailer_id) => ({ retailer_id, day: '2024-05-01' }))),
  );
  // What comes later is the new retailer's alone.
  await bench.marked();
  await bench.load([changed]);
  expect(await db.column('select retailer_id from ops.marks')).toEqual([target.id]);
});

test('loads of a connection follow each other, so the older version finds the newer one stored', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  await using newer = await openTransaction(db);
  await using older = await openTransaction(db);
  await loadItems(newer.tx, targetOf(shop), [changed]);
  const load = loadItems(older.tx, targetOf(shop), [aThing()]);
  await waitUntilBlocked(db, older, newer);
  await newer.commit();
  expect(await load).toMatchObject({ changed: 0, stale: 1 });
});

test('a running load holds up neither another connection nor what else changes on its own', async () => {
  await using bench = await aLoadBench();
  const { db, shop } = bench;
  const other = await aConnection(db, { brandId: shop.brand.id });
  await using loading = await openTransaction(db);
  await loadItems(loading.tx, targetOf(shop), [aThing()]);
  const elsewhere = targetOf({ ...shop, connection: other });
  expect(await db.transaction((tx) => loadItems(tx, elsewhere, [aThing()]))).toMatchObject({ changed: 1 });
  const which = { brandId: shop.brand.id, connectionId: shop.connection.id };
  await db.transaction((tx) => holdConnection(tx, which, { code: 'NS_TEST', reason: 'because', now }));
  expect(
    await db.column('select held_code from app.connections where id = $1', [shop.connection.id]),
  ).toEqual(['NS_TEST']);
});
