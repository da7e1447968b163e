/** Whatever is made, changed, expires, is swept and ends in the middle: each snapshot that is listed is whole. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { listSnapshots } from '#sql/snapshots/catalogue.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { aBrand, aShop } from '../support/rows/factory.ts';
import { damagesOf, makeOlder, runExpiry } from '../support/snapshots/expiry.ts';
import { mortal } from '../support/snapshots/mortal.ts';
import { aStore, makeSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

type Brand = { id: string; slug: string };
/** `diesAt`: the step of a store or a transaction, before or after which the process ends; 0 for none. */
type Doing =
  | { what: 'create' | 'sweep'; diesAt: number; how: 'before' | 'after' }
  | { what: 'change'; name: string }
  | { what: 'age'; which: number }
  | { what: 'forget'; which: number };

const process = fc.record({
  what: fc.constantFrom('create' as const, 'sweep' as const),
  diesAt: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 14 })),
  how: fc.constantFrom('before' as const, 'after' as const),
});
const doing: fc.Arbitrary<Doing> = fc.oneof(
  { weight: 4, arbitrary: process },
  // Few names, so that a file of before is needed again.
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('change' as const), name: fc.constantFrom('a', 'b', 'c') }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('age' as const), which: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('forget' as const), which: fc.nat(3) }) },
);

async function act(db: TestDb, { store }: StoreDir, brand: Brand, given: Doing): Promise<void> {
  if (given.what === 'change')
    return void (await db.query('update app.brands set name = $2 where id = $1', [brand.id, given.name]));
  if (given.what === 'age' || given.what === 'forget') {
    const found = (await listSnapshots(db, { brandId: brand.id }))[given.which];
    if (found === undefined) return;
    if (given.what === 'age') return makeOlder(db, found.id, 100);
    return void (await db.query('delete from ops.snapshots where id = $1', [found.id])); // a lost database
  }
  const { what, diesAt, how } = given;
  const killer = mortal(diesAt, how);
  const [mine, its] = [killer.inDb(db), killer.inStore(store)];
  const run =
    what === 'create'
      ? makeSnapshot(db, its, brand, { scope: 'aggregates', db: mine })
      : runExpiry(mine, its, brand.id);
  await run.catch((error) => {
    if (!killer.died()) throw error;
  });
}

test('each snapshot that is listed has all its files, and at last no file is left over', async () => {
  await using db = await freshDb();
  const { brand } = await aShop(db);
  const other = await aBrand(db, { slug: 'brio' });
  const law = fc.asyncProperty(fc.array(doing, { minLength: 4, maxLength: 14 }), async (doings) => {
    await using place = await aStore();
    await db.query('delete from ops.snapshots');
    await db.query('delete from ops.snapshot_garbage');
    await makeSnapshot(db, place.store, other, { scope: 'aggregates' });
    for (const one of doings) {
      await act(db, place, brand, one);
      expect(await damagesOf(db, place.store, brand.id)).toEqual([]);
    }
    for (let again = 0; again < 2; again++) await runExpiry(db, place.store, brand.id);
    const needed = await db.column(
      `select 'parts/' || name || '.' || key_id from ops.snapshot_parts where brand_id = $1
       union select 'keys/' || key_id || '.json' from ops.snapshot_parts where brand_id = $1
       union select d || '/' || id || '.json' from ops.snapshots cross join unnest('{keys,manifests}'::text[]) d where brand_id = $1
       order by 1`,
      [brand.id],
    );
    const there = [...(await place.files()).keys()].filter((name) => name.startsWith(brand.id));
    expect(there.map((name) => name.slice(brand.id.length + 1)).sort()).toEqual(needed);
    expect(await db.column('select file from ops.snapshot_garbage')).toEqual([]);
    expect(await damagesOf(db, place.store, other.id)).toEqual([]);
  });
  await assertHolds(law, 6);
});
