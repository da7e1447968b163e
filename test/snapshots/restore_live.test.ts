/** What was lost comes back with one command, exactly that and only of one brand; and one command undoes it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readAlike } from '#sql/snapshots/moment.ts';
import { readParts } from '#sql/snapshots/parts.ts';
import { snapshotTables } from '#sql/snapshots/tables.ts';
import { isRestored } from '#tasks/snapshots/restore/into_live.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, TEST_KEYS, twoShops } from '../support/rows/factory.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { roll, rollBrand, rollDirty } from '../support/rows/rolled.ts';
import { SAME_ID } from '../support/rows/two_brands.ts';
import { aStore, fileOfTable, runSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

let db: TestDb;
let acme: Shop;
let brio: Shop;
let place: StoreDir;
let id: string;
let whole: Hashes;

const ORDERS = ['2024-05-01', '2024-05-02', '2024-06-03'].map((day, at) =>
  anOrder({ id: String(at + 1), at: `${day}T12:00:00Z`, sales: [{ total: `1${at}.05`, quantity: 1 }] }),
);

beforeAll(async () => {
  db = await freshDb();
  const shops = await twoShops(db);
  await db.query('update app.connections set id = $1', [SAME_ID]);
  [acme, brio] = shops.map((shop) => ({ ...shop, connection: { ...shop.connection, id: SAME_ID } })) as [
    Shop,
    Shop,
  ];
  for (const shop of [acme, brio]) {
    await roll({ ...shop, db }, { orders: ORDERS });
    await rollBrand({ ...shop, db });
    await rollDirty({ ...shop, db });
    await rollBrand({ ...shop, db });
    await db.query(
      `insert into ops.positions (brand_id, connection_id, stream, position, state, updated_at)
       values ($1, $2, 'shopify.orders', '{"at": 1}', 'ok', now())`,
      [shop.brand.id, SAME_ID],
    );
  }
  await db.query('delete from ops.marks');
  place = await aStore();
  id = String((await runSnapshot(db, place, acme.brand.id)).snapshot);
  whole = await hashes(acme);
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

type Hashes = Record<string, string>;

/** Of all that a restore may touch. */
function hashes({ brand }: Shop): Promise<Hashes> {
  return db.transaction(async (tx) => {
    await readAlike(tx, 60);
    const found: Hashes = {};
    for (const table of await snapshotTables(tx, 'all')) {
      if (!isRestored(table.name)) continue;
      const { parts } = await readParts(tx, table, brand.id);
      if (parts.length > 0) found[table.name] = JSON.stringify(parts);
    }
    return found;
  });
}

const run = (line: string) =>
  nightshift([...line.split(' '), '--json'], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });
const restore = (snapshot: string, more = '') =>
  run(`snapshots restore ${snapshot} --brand ${acme.brand.slug} --into live --yes ${acme.brand.slug}${more}`);

/** A person deletes a retailer's figures and orders, changes one row and adds another; reading goes on meanwhile. */
async function lose(): Promise<Hashes> {
  const of = [acme.brand.id];
  await db.query('delete from agg.daily_sales where brand_id = $1', of);
  await db.query("delete from raw.shopify_sales where brand_id = $1 and order_id <> '3'", of);
  await db.query("delete from raw.shopify_orders where brand_id = $1 and id = '1'", of);
  await db.query("update raw.shopify_sales set total_amount = 99 where brand_id = $1 and order_id = '3'", of);
  await db.query(
    `update ops.positions set position = '{"at": 2}', updated_at = '2026-01-01Z' where brand_id = $1`,
    of,
  );
  const lost = await hashes(acme);
  expect(lost).not.toEqual(whole);
  return lost;
}

test('what was lost comes back, a rebuild equals it, and one command undoes it', async () => {
  const other = await hashes(brio);
  const lost = await lose();
  const listed = (await run(`snapshots diff --latest --brand ${acme.brand.slug}`)).json() as {
    table: string;
  }[];
  expect(listed.find(({ table }) => table === 'raw.shopify_sales')).toEqual({
    ...{ table: 'raw.shopify_sales', only_snapshot: 2, only_live: 0, changed: 1 },
    money: [{ column: 'total_amount', currency: 'GBP', snapshot: '33.15', live: '99' }],
  });
  expect(listed.find(({ table }) => table === 'agg.daily_sales')).toMatchObject({
    only_snapshot: 3,
    only_live: 0,
    changed: 0,
    money: [{ column: 'gross_sales' }, { column: 'ordered_sales' }], // and no sum of rates
  });

  const line = `snapshots restore ${id} --brand ${acme.brand.slug} --into live`;
  expect(await run(`${line} --dry-run`)).toMatchObject({ code: 0 });
  expect(await run(`${line} --yes ${brio.brand.slug}`)).toMatchObject({ code: 2 });
  expect(await hashes(acme)).toEqual(lost);

  const restored = await restore(id);
  expect(restored).toMatchObject({ code: 0 });
  const [said] = restored.json() as { before: string; undo: string; tables: Record<string, unknown> }[];
  expect(said?.tables).toMatchObject({ 'raw.shopify_sales': { deleted: 1, inserted: 3 } });
  expect(await hashes(acme)).toEqual(whole);
  expect(await hashes(brio)).toEqual(other);
  // All that the orders touch is computed again, and is what it was.
  expect(
    await db.column('select distinct retailer_id from ops.marks where brand_id = $1', [acme.brand.id]),
  ).toEqual([acme.retailer.id]);
  await rollDirty({ ...acme, db });
  await rollBrand({ ...acme, db });
  expect(await hashes(acme)).toEqual(whole);

  const undone = await run(`${said?.undo.replace('npx nightshift ', '')} --yes ${acme.brand.slug}`);
  expect(undone).toMatchObject({ code: 0 });
  expect(await hashes(acme)).toEqual(lost);
  expect(await hashes(brio)).toEqual(other);
  expect(await db.column('select count(*) from ops.pauses')).toEqual([0]);
  const kept = 'select rule from ops.snapshot_keeps where snapshot_id = $1 and position = 5';
  expect(await db.column(kept, [said?.before])).toEqual(['undoes a restore']);
  expect(
    await db.column("select outcome from ops.snapshot_runs where kind = 'restore' and brand_id = $1", [
      acme.brand.id,
    ]),
  ).toEqual(['succeeded', 'succeeded']);
  await restore(id);
  await db.query('delete from ops.marks');
});

test('the latest is neither one that undoes a restore nor one of figures alone', async () => {
  await runSnapshot(db, place, acme.brand.id, 'aggregates');
  const latest = await run(`snapshots verify --latest --level 0 --brand ${acme.brand.slug}`);
  expect(latest.json()).toMatchObject([{ snapshot: id }]);
});

test('figures alone: nothing is read or computed again', async () => {
  await db.query('delete from agg.daily_sales where brand_id = $1', [acme.brand.id]);
  const restored = await restore(id, ' --tables agg.daily_sales');
  expect(restored.json()).toMatchObject([{ rollups: 0, tables: { 'agg.daily_sales': { inserted: 3 } } }]);
  expect(await hashes(acme)).toEqual(whole);
  expect(await db.column('select count(*) from ops.marks')).toEqual([0]);
  expect(await restore(id, ' --tables app.brands')).toMatchObject({ code: 2 });
});

test('rows that do not become what the snapshot has are not kept', async () => {
  await db.query(`
    create function public.round_off() returns trigger language plpgsql as $$
    begin new.gross_sales := round(new.gross_sales); return new; end $$;
    create trigger round_off before insert on agg.daily_sales for each row execute function public.round_off()`);
  await db.query('delete from agg.daily_sales where brand_id = $1', [acme.brand.id]);
  const lost = await hashes(acme);
  expect(await restore(id)).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('agg.daily_sales did not become'),
  });
  expect(await hashes(acme)).toEqual(lost);
  await db.query('drop function public.round_off cascade');
  expect(await restore(id)).toMatchObject({ code: 0 });
  expect(await hashes(acme)).toEqual(whole);
  await db.query('delete from ops.marks');
});

test('events that came since stay, because no provider has them', async () => {
  await db.query("select ops.make_event_months(array['2026-11-01'::date])");
  for (const table of [
    'raw.events (brand_id, happened_at, id, kind)',
    'raw.event_ids (brand_id, happened_at, id)',
  ])
    await db.query(
      `insert into ${table} values ($1, '2026-11-02Z', 'late'${table.startsWith('raw.events') ? ", 'view'" : ''})`,
      [acme.brand.id],
    );
  await db.query('delete from raw.shopify_orders where brand_id = $1', [acme.brand.id]);
  expect(await restore(id)).toMatchObject({ code: 0 });
  const { 'raw.events': events, 'raw.event_ids': ids, ...rest } = await hashes(acme);
  expect(rest).toEqual(whole);
  expect([events, ids]).toEqual([expect.any(String), expect.any(String)]);
  await db.query('delete from raw.events');
  await db.query('delete from raw.event_ids');
});

test('one that is killed in the middle, or may not be, leaves all as it was', async () => {
  const lost = await lose();
  await db.query(`create function public.die() returns trigger language plpgsql as
    $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$`);
  await db.query(
    'create trigger die before insert on raw.shopify_sales for each row execute function public.die()',
  );
  expect((await restore(id)).code).not.toBe(0);
  await db.query('drop trigger die on raw.shopify_sales');
  await db.query('drop function public.die()');
  expect(await hashes(acme)).toEqual(lost);
  expect(await db.column("select nspname from pg_namespace where nspname ~ '^restor'")).toEqual([]);

  await db.query(
    "insert into ops.erased_identifiers (brand_id, identifier, pseudonym) values ($1, 'x', 'erased:1')",
    [acme.brand.id],
  );
  expect((await restore(id)).stderr).toMatch(/NS_RESTORE_REFUSED.*erased persons/s);
  await db.query('delete from ops.erased_identifiers');
  await db.query('update app.retailers set removing_at = now() where brand_id = $1', [acme.brand.id]);
  expect((await restore(id)).stderr).toMatch(/NS_RESTORE_REFUSED.*has lost retailer/s);
  await db.query('update app.retailers set removing_at = null where brand_id = $1', [acme.brand.id]);

  const name = await fileOfTable(db, { brandId: acme.brand.id, id }, 'raw.shopify_sales');
  const path = join(place.dir, name);
  const bytes = await readFile(path);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  await writeFile(path, bytes);
  expect(await restore(id)).toMatchObject({ code: 1, stderr: expect.stringContaining(name) });
  expect(await hashes(acme)).toEqual(lost);
});
