/** Figures of the brand itself, by the job that production runs: the exercise's, and those made of its retailers'. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { claimMarks } from '#sql/dirty/claim.ts';
import { isDayDue, rollForward } from '#sql/dirty/roll_forward.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { composeRollup } from '#sql/rollups/define.ts';
import { inOrder, type Rollup } from '#sql/rollups/rollup.ts';
import { changeReportingCurrency } from '#sql/tenants/brands.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { emptyTable } from '#sql/tenants/removal_tables.ts';
import { fxBrand } from '#tasks/fx/fx_brand.ts';
import { rollup } from '#tasks/rollup.ts';
import { type AcornBench, figure, keyring, twoBrands } from '../support/acorn/bench.ts';
import { withSpend } from '../support/acorn/rollups/index.ts';
import { acornPartitions, PARTITION_TABLES } from '../support/acorn/rollups/partitions.ts';
import { acornTables } from '../support/acorn/streams.ts';
import { migrateFigures } from '../support/acorn/tables.ts';
import { nightshift } from '../support/cli.ts';
import type { TestDb } from '../support/db/db.ts';
import { daysOf } from '../support/providers/fx.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

type Account = AcornBench['one'];

const now = new Date('2026-11-20T00:00:00Z');
const all = inOrder([...withSpend, ...acornPartitions]);

async function aBench() {
  const bench = await twoBrands();
  await migrateFigures(bench.db);
  await bench.db.query(PARTITION_TABLES);
  for (const account of [bench.one, bench.other])
    for (const stream of ['opens', 'spend']) await account.sync(stream);
  return bench;
}

function roll(db: TestDb, brandId: string, retailerId: string | null, rollups = withSpend) {
  return runTask(rollup, { brandId, retailerId }, db, { services: { ...keyring, rollups } });
}

const spent = (db: TestDb, { brandId }: Account) =>
  db.rows(
    'select day, spend, opens, fx_rate, fx_cause from agg.acorn_daily_spend where brand_id = $1 order by day',
    [brandId],
  );

const idsOf = ({ brandId, connectionId, retailerId }: Account) => ({ brandId, connectionId, retailerId });

const row = (day: string, spend: string, opens: number, fx_rate: string | null) => ({
  ...{ day: `2026-11-${day}`, spend, opens, fx_rate, fx_cause: fx_rate === null ? 'no_rate' : null },
});

test('the exercise: figures of a third provider, by one query, a descriptor and a migration', async () => {
  await using bench = await aBench();
  const { db, one, other, served } = bench;
  for (const { brandId } of [one, other]) await roll(db, brandId, null);
  const first = [row('01', '10', 0, null), row('02', '20.5', 3, null)];
  expect(await spent(db, one)).toEqual(first);
  served.tables = { ...served.tables, spend: [...(served.tables.spend ?? []), figure('02', '4', 'c2')] };
  await one.sync('spend');
  expect(await roll(db, one.brandId, null)).toMatchObject({ days: 1, written: 1 });
  expect(await spent(db, one)).toEqual([row('01', '10', 0, null), row('02', '24.5', 3, null)]);
  expect(await spent(db, other)).toEqual(first);
  const states =
    'select distinct day, state from bi.completeness where brand_id = $1 and source = $2 order by day limit 2';
  expect(await db.rows(states, [one.brandId, 'spend'])).toHaveLength(2);
});

test('rates that move, and another reporting currency, reach the figures of the brand', async () => {
  await using bench = await aBench();
  const { db, one, other } = bench;
  const services = { ...keyring, rollups: withSpend };
  for (const { brandId } of [one, other]) await roll(db, brandId, null);
  const rates = daysOf([
    ['USD', '2026-10-30', '1.25'],
    ['GBP', '2026-10-30', '0.80'],
  ]);
  await db.transaction((tx) => storeRates(tx, { days: rates, source: 'test', now, actor: 'test' }));
  const { brandId } = one;
  expect(await runTask(fxBrand, { brandId }, db, { services })).toMatchObject({ days: 2, retailers: 0 });
  const waiting = "select key from graphile_worker.jobs where task_identifier = 'rollup' and key like $1";
  expect(await db.column(waiting, [`%${brandId}%`])).toEqual([`rollup:${brandId}:brand`]);
  await roll(db, brandId, null);
  expect(await spent(db, one)).toEqual([row('01', '10', 0, '0.64'), row('02', '20.5', 3, '0.64')]);
  // The other brand has not had its job: its next rollup finds the change by itself.
  expect(await roll(db, other.brandId, null)).toMatchObject({ written: 2 });
  const change = { brandId, tables: [], now, rollups: withSpend };
  const { retailerIds } = await db.transaction((tx) => changeReportingCurrency(tx, 'USD', change));
  expect(retailerIds).toContain(null);
  await roll(db, brandId, null);
  expect(await spent(db, one)).toEqual([row('01', '10', 0, '1'), row('02', '20.5', 3, '1')]);
  expect((await spent(db, other)).map(({ fx_rate }) => fx_rate)).toEqual(['0.64', '0.64']);
});

test('what a rollup of a retailer changes is marked for the brand, whose own job computes it', async () => {
  await using bench = await aBench();
  const { db, one, other } = bench;
  const { brandId, connectionId, retailerId } = one;
  await db.transaction((tx) =>
    mapPart(tx, { brandId, connectionId, part: 'c1', retailerId, tables: acornTables, now, actor: 'test' }),
  );
  await db.query('delete from ops.marks where retailer_id is null');
  await db.query('select graphile_worker.complete_jobs(array(select id from graphile_worker.jobs))');
  expect(await roll(db, brandId, retailerId, all)).toMatchObject({ days: 2, written: 3 });
  const keys = "select key from graphile_worker.jobs where task_identifier = 'rollup'";
  expect(await db.column(keys)).toEqual([`rollup:${brandId}:brand`]);
  expect(
    await db.column('select distinct subject from ops.marks where retailer_id is null order by 1'),
  ).toEqual(['acorn_part_campaigns', 'acorn_part_spend']);
  await roll(db, brandId, null, all);
  const weeks = 'select day, spend, retailers from agg.acorn_weekly_spend where brand_id = $1 order by day';
  const week = (day: string, spend: string) => ({ day: `2026-${day}`, spend, retailers: 1 });
  expect(await db.rows(weeks, [brandId])).toEqual([week('10-26', '10'), week('11-02', '20.5')]);
  expect(await db.rows(weeks, [other.brandId])).toEqual([]);
  // Nothing comes out different, so nothing is handed on.
  await db.query(
    `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) values ($1, $2, 'spend', '2026-11-01', now())`,
    [brandId, retailerId],
  );
  expect(await roll(db, brandId, retailerId, all)).toMatchObject({ days: 1, written: 0 });
  expect(await db.column('select count(*) from ops.marks where brand_id = $1', [brandId])).toEqual([0]);
  // A retailer that goes takes its figures out of those of the brand.
  await emptyTable(db, 'agg.acorn_part_spend', { kind: 'retailer', brandId, id: retailerId }, all);
  await roll(db, brandId, null, all);
  expect(await db.rows(weeks, [brandId])).toEqual([]);
});

test('figures of the brand are recomputed by hand with those of its retailers, and status counts them', async () => {
  await using bench = await aBench();
  const { db, one } = bench;
  const [brand] = await db.column('select slug from app.brands where id = $1', [one.brandId]);
  const [retailer] = await db.column('select slug from app.retailers where id = $1', [one.retailerId]);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const run = (...more: string[]) =>
    nightshift(['rollup', 'run', '--brand', String(brand), '--json', ...more], { env });
  expect((await run('--dry-run')).json()).toEqual([
    { brand, retailer, days: 0, from: null, to: null },
    { brand, retailer: null, days: 2, from: '2026-11-01', to: '2026-11-02', objects: 1 },
  ]);
  expect((await run()).json()).toMatchObject([{ retailer }, { retailer: null }]);
  expect((await run('--from', '2026-11-01', '--to', '2026-11-02')).json()).toMatchObject([
    {},
    { retailer: null },
  ]);
  expect((await run('--retailer', String(retailer))).json()).toHaveLength(1);
  const { dirty_days } = (await nightshift(['status', '--json'], { env })).json()[0] as Record<
    string,
    object
  >;
  expect(dirty_days).toMatchObject({ days: 4, objects: 2, of_brands: 6 });
  const { stdout } = await nightshift(['status'], { env });
  expect(stdout).toContain('4 and 2 objects to recompute, 6 of them of a whole brand');
});

test('states of the brand are carried on from day to day, as those of a retailer are', async () => {
  await using bench = await twoBrands();
  const { db, one, other } = bench;
  await db.query(`
    create table agg.brand_states (brand_id uuid, id text, valid_from timestamptz, valid_until timestamptz,
      primary key (brand_id, id, valid_from));
    create table agg.brand_levels (brand_id uuid, day date, primary key (brand_id, day))`);
  const levels = composeRollup({
    ...{ name: 'brand_levels', of: 'brand', reads: ['agg.brand_states'], writes: 'agg.brand_levels' },
    ...{
      grain: ['brand_id', 'day'],
      measures: [],
      changesWith: ['calendar'],
      fresh: 'select day from wanted',
    },
    carries: { states: 'agg.brand_states', from: 'valid_from', until: 'valid_until' },
  });
  const { brandId } = one;
  await db.query("insert into agg.brand_states values ($1, 's', '2026-11-01T12:00:00Z', 'infinity')", [
    brandId,
  ]);
  const at = (day: string) => ({ brandId, retailerId: null, now: new Date(`2026-11-${day}T15:00:00Z`) });
  const forward = (day: string, which = brandId) =>
    db.transaction((tx) => rollForward(tx, { ...at(day), brandId: which }, [levels]));
  for (const which of [brandId, other.brandId]) expect(await forward('02', which)).toBe(0);
  expect(await isDayDue(db, at('02'), [levels])).toBe(false);
  expect(await isDayDue(db, at('04'), [levels])).toBe(true);
  expect(await forward('04')).toBe(3);
  expect(await forward('04', other.brandId)).toBe(0);
  expect(await db.rows('select brand_id, retailer_id, subject, day from ops.marks order by day')).toEqual(
    ['02', '03', '04'].map((day) => ({
      ...{ brand_id: brandId, retailer_id: null, subject: 'calendar', day: `2026-11-${day}` },
    })),
  );
  expect(
    await db.transaction((tx) => rollForward(tx, { ...at('05'), retailerId: one.retailerId }, [levels])),
  ).toBe(0);
});

test('a retailer that goes takes what its rollups hand on by object or by query out of the figures of the brand', async () => {
  await using bench = await aBench();
  const { db, one, other } = bench;
  const { brandId, connectionId, retailerId } = one;
  await db.query(`create table agg.brand_spend (brand_id uuid, day date, spend numeric, computed_at timestamptz,
    primary key (brand_id, day))`);
  const [partSpend] = acornPartitions;
  const byQuery = composeRollup({
    ...(partSpend as Rollup),
    handsOn: 'query',
    changed:
      'select day from stored full join fresh using (retailer_id, day) where $4::timestamptz is not null',
  });
  const ofBrand = composeRollup({
    ...{ name: 'brand_spend', of: 'brand', reads: ['agg.acorn_part_spend'], writes: 'agg.brand_spend' },
    ...{ grain: ['brand_id', 'day'], measures: ['spend'], changesWith: ['acorn_part_spend'] },
    fresh: `select w.day, sum(a.spend) as spend from wanted w
            join agg.acorn_part_spend a on a.brand_id = $1 and a.day = w.day group by w.day`,
  });
  const rollups = inOrder([
    byQuery,
    ofBrand,
    ...acornPartitions.filter(({ name }) => /_campaigns$/.test(name)),
  ]);
  for (const which of [one, other]) {
    const mapped = { ...idsOf(which), part: 'c1', tables: acornTables, now, actor: 'test' };
    await db.transaction((tx) => mapPart(tx, mapped));
    for (const owner of [which.retailerId, null]) await roll(db, which.brandId, owner, rollups);
  }
  const figures = (of: string) =>
    db.rows(
      `select 'day' as of, day::text as key, spend from agg.brand_spend where brand_id = $1
       union all select 'campaign', campaign_id, spend from agg.acorn_owned_campaigns where brand_id = $1 order by 1, 2`,
      [of],
    );
  const before = await figures(brandId);
  expect(before.map(({ of }) => of)).toEqual(['campaign', 'day', 'day']);
  const owner = { kind: 'retailer', brandId, id: retailerId } as const;
  await db.query('delete from app.connection_parts where brand_id = $1 and connection_id = $2', [
    brandId,
    connectionId,
  ]);
  for (const table of ['agg.acorn_part_spend', 'agg.acorn_part_campaigns'])
    await emptyTable(db, table, owner, rollups);
  await roll(db, brandId, null, rollups);
  expect(await figures(brandId)).toEqual([]);
  expect(await figures(other.brandId)).toEqual(before);
});

test('a brand that has gone leaves no note of rates, even if a rollup of it comes late', async () => {
  await using bench = await aBench();
  const { db } = bench;
  const gone = randomUUID();
  const limits = { days: 1, objects: 1 };
  await db.transaction((tx) => claimMarks(tx, gone, null, limits, { rollups: withSpend }));
  expect(await db.column('select count(*) from ops.fx_noticed where brand_id = $1', [gone])).toEqual([0]);
});
