/** Which files of older snapshots a drill reads: those whose last proof is oldest, whatever nights there were. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { filesToProve, type ProvedFile, QUARTER, recordProved } from '#sql/snapshots/proofs.ts';
import { freshDb, type TestDb } from '../../support/db/db.ts';
import { type Place, twoBrands } from '../../support/rows/two_brands.ts';

const OLD = '00000001-1111-4111-8111-111111111111';
const ALSO_OLD = '00000002-1111-4111-8111-111111111111';
const NEWEST = '00000003-1111-4111-8111-111111111111';
const HOURLY = '00000004-1111-4111-8111-111111111111';
const FILES = 120;

let db: TestDb;
let acme: Place;
let brio: Place;

beforeAll(async () => {
  db = await freshDb();
  [acme, brio] = await twoBrands(db);
  return () => db[Symbol.asyncDispose]();
});

/** Two brands with the same ids: two old snapshots of one set of files, and a newest that has others and one of these. */
beforeEach(async () => {
  await db.query('delete from ops.snapshots');
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at, manifest_sha256)
     select b.id, s.id, b.slug, 'all', 'complete', 'here', now() - s.age, repeat('0', 64)
     from app.brands b cross join (values ($1::uuid, interval '2 days'), ($2, '1 day'), ($3, '0')) s (id, age)`,
    [OLD, ALSO_OLD, NEWEST],
  );
  await db.query(
    `insert into ops.snapshot_parts (brand_id, snapshot_id, table_name, part, name, key_id, header_sha256, rows, row_hash, bytes,
       stored_bytes, stored_sha256, is_new)
     select s.brand_id, s.id, 'raw.x', n, lpad(to_hex(n), 64, '0'), $1, '', 1, 1, 1, 1, '', true
     from ops.snapshots s cross join generate_series(1, $3::int + 50) n
     where case when s.id = $2 then n >= $3 else n <= $3 end`,
    [OLD, NEWEST, FILES],
  );
});

const toProve = ({ brandId }: Place) => filesToProve(db, { brandId, newest: NEWEST, store: 'here' });
const read = ({ brandId }: Place, files: readonly ProvedFile[]) =>
  db.transaction((tx) => recordProved(tx, brandId, files));
const aDayPasses = () =>
  db.query(
    `with s as (update ops.snapshots set created_at = created_at - interval '1 day')
     update ops.snapshot_parts set proved_at = proved_at - interval '1 day' where brand_id = $1`,
    [acme.brandId],
  );
const lastProofs = (sql: string) =>
  db.column(
    `select ${sql} from (select name, max(proved_at) as at from ops.snapshot_parts
                         where brand_id = $1 and part::int < $2 group by name) f`,
    [acme.brandId, FILES],
  );

test.each([
  ['two nights of three', (day: number) => day % 3 === 1],
  ['none in the second month', (day: number) => day >= 30 && day < 60],
])('each file is read once a quarter: %s', async (_, isSkipped) => {
  await read(brio, await toProve(brio));
  const before = await db.column('select count(proved_at)::int from ops.snapshot_parts where brand_id = $1', [
    brio.brandId,
  ]);
  for (let day = 0; day < 2 * QUARTER; day++) {
    const files = isSkipped(day % QUARTER) ? [] : await toProve(acme);
    expect(files.length).toBeLessThanOrEqual(Math.ceil(FILES / 13));
    await read(acme, files);
    await aDayPasses();
    if (day >= QUARTER)
      expect(
        await lastProofs(
          `count(*) filter (where at is null or at < now() - interval '${QUARTER + 1} days')::int`,
        ),
      ).toEqual([0]);
  }
  expect(
    await db.column('select count(proved_at)::int from ops.snapshot_parts where brand_id = $1', [
      brio.brandId,
    ]),
  ).toEqual(before);
});

/** A snapshot of today in the place of that of yesterday, with files of its own: more than are read in a day. */
async function othersCome(day: number): Promise<void> {
  await db.query('delete from ops.snapshots where brand_id = $1 and id = $2', [acme.brandId, HOURLY]);
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at, manifest_sha256)
     values ($1, $2, 'acme', 'all', 'complete', 'here', now(), repeat('0', 64))`,
    [acme.brandId, HOURLY],
  );
  await db.query(
    `insert into ops.snapshot_parts (brand_id, snapshot_id, table_name, part, name, key_id, header_sha256, rows, row_hash, bytes,
       stored_bytes, stored_sha256, is_new)
     select $1, $2, 'raw.y', 10000 + n, md5($3 || ' ' || n) || md5(''), $2, '', 1, 1, 1, 1, '', true
     from generate_series(1, 60) n`,
    [acme.brandId, HOURLY, String(day)],
  );
}

test('each file is read once a quarter, also where more new ones come each day than are read', async () => {
  await db.query('update ops.snapshot_parts set proved_at = now()');
  for (let day = 0; day <= QUARTER; day++) {
    await othersCome(day);
    await read(acme, await toProve(acme));
    await aDayPasses();
  }
  expect(await lastProofs(`count(*) filter (where at < now() - interval '${QUARTER} days')::int`)).toEqual([
    0,
  ]);
});

test('what was not proved for longest comes first; the same question has the same answer', async () => {
  await db.query(
    `update ops.snapshot_parts set proved_at = now() - part::int * interval '1 hour'
     where brand_id = $1 and snapshot_id = $2 and part::int <> 7`,
    [acme.brandId, ALSO_OLD],
  );
  await db.query(
    `update ops.snapshots set created_at = now() - ($2::int - 1) * interval '1 hour' + interval '1 minute' where id = $1`,
    [OLD, FILES],
  );
  const files = await toProve(acme);
  const named = files.map(({ name }) => Number.parseInt(name, 16));
  // One that was never proved waits since its oldest snapshot. The one that the newest has too is proved with it.
  expect(named).toEqual([FILES - 1, 7]);
  expect(await toProve(acme)).toEqual(files);
  const elsewhere = { brandId: acme.brandId, newest: NEWEST, store: 'elsewhere' };
  expect(await filesToProve(db, elsewhere)).toEqual([]);
  await db.query('update ops.snapshot_parts set damaged_at = now() where brand_id = $1 and part = $2', [
    ...[acme.brandId, String(FILES - 1)],
  ]);
  expect((await toProve(acme)).map(({ name }) => Number.parseInt(name, 16))).toEqual([7, FILES - 2]);
});
