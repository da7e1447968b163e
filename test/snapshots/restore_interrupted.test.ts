/** A restore in place of what is live that is stopped: nothing is changed, the brand goes on, and the same again succeeds. */
import { beforeAll, expect, test } from 'vitest';
import { providers, streams } from '#connectors/providers.ts';
import { findSnapshot } from '#sql/snapshots/catalogue.ts';
import { type BringBackOptions, bringBack } from '#tasks/snapshots/restore/bring_back.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Shop, TEST_KEYS, testSealer, twoShops } from '../support/rows/factory.ts';
import { aStore, fillYear, runSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

const ROWS = 200;

let db: TestDb;
let shop: Shop;
let other: Shop;
let place: StoreDir;
let id: string;

beforeAll(async () => {
  db = await freshDb();
  [shop, other] = await twoShops(db);
  for (const { brand, connection } of [shop, other]) await fillYear(db, brand.id, connection.id, ROWS);
  place = await aStore();
  id = String((await runSnapshot(db, place, shop.brand.id)).snapshot);
  await db.query('delete from raw.shopify_sales where brand_id = $1', [shop.brand.id]);
  return async () => {
    await db[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
});

async function restore(more: Partial<BringBackOptions>) {
  const { store } = place;
  const snapshot = await findSnapshot(db, id);
  const content = await readWhole({ db, store, sealer: testSealer, snapshot });
  return bringBack({
    ...{ db, url: db.url, store, sealer: testSealer, minutes: 5, limitSeconds: 300, snapshot, content },
    ...{ brand: shop.brand, brandId: shop.brand.id, providers, streams, now: new Date() },
    ...more,
  });
}

const sales = () =>
  db.column(
    'select count(s.id)::int from app.brands b left join raw.shopify_sales s on s.brand_id = b.id group by b.id order by b.id = $1 desc',
    [shop.brand.id],
  );

type Moment = [when: string, options: (stop: () => void) => Partial<BringBackOptions>];
const MOMENTS: Moment[] = [
  [
    'while the jobs of the brand come to rest',
    (stop) => {
      setTimeout(stop, 100);
      return {};
    },
  ],
  ['while the present is kept', (stop) => ({ store: { ...place.store, settle: async () => stop() } })],
  ['while it is compared', (stop) => ({ progress: stop })],
];

test.each(MOMENTS)('stopped %s', async (_, options) => {
  const stopping = new AbortController();
  const stopped = new Error('stopped by a person');
  const given = options(() => stopping.abort(stopped));
  await expect(restore({ ...given, signal: stopping.signal })).rejects.toBe(stopped);
  expect(await sales()).toEqual([0, ROWS]);
  expect(await db.column('select count(*)::int from ops.current_pauses')).toEqual([0]);
  expect(await db.column("select nspname from pg_namespace where nspname like 'restoring%'")).toEqual([]);
  expect(
    await db.column("select outcome from ops.snapshot_runs where kind = 'restore' order by id desc limit 1"),
  ).toEqual(['failed']);
});

test('the command says what to type again, and leaves no pause', async () => {
  const { slug } = shop.brand;
  const ran = await nightshift(
    ['snapshots', 'restore', id, '--brand', slug, '--into', 'live', '--yes', slug],
    {
      env: { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
      onStderr(said, kill) {
        if (said.includes('wait until this is done')) kill('SIGINT');
      },
    },
  );
  expect(ran).toMatchObject({
    code: 130,
    stderr: expect.stringContaining(`snapshots restore ${id} --brand ${slug}`),
  });
  expect(await sales()).toEqual([0, ROWS]);
  expect(await db.column('select count(*)::int from ops.current_pauses')).toEqual([0]);
});

test('the same again brings all of it back', async () => {
  const { tables } = await restore({ signal: new AbortController().signal });
  expect(tables['raw.shopify_sales']).toEqual({ deleted: 0, inserted: ROWS });
  expect(await sales()).toEqual([ROWS, ROWS]);
});
