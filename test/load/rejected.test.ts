import { expect, test } from 'vitest';
import { loadItems } from '#sql/load/load.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import type { Deletion, Item } from '#sql/load/table.ts';
import { aLoadBench, type LoadBench, targetOf } from '../support/rows/load.ts';
import { aThing, at } from '../support/rows/things.ts';

const STREAM = 'made.things';
const v1 = at('2024-05-01T10:00:00Z');
const v2 = at('2024-05-02T10:00:00Z');

/** Loads for a stream that has set record 1 aside, and gives the records that still are. */
async function leftAfter(
  { db, shop }: LoadBench,
  items: readonly Item[],
  deletions: readonly Deletion[] = [],
): Promise<unknown[]> {
  const target = targetOf(shop, { stream: STREAM });
  await db.transaction(async (tx) => {
    const rejection = { key: '1', reason: 'a field is missing', payload: {} };
    await rejectRows(tx, { ...target, stream: STREAM }, [rejection]);
    await loadItems(tx, target, items, deletions);
  });
  return db.column('select row_key from ops.rejected_rows');
}

test('a record that is set aside is not settled by an older version of it', async () => {
  await using bench = await aLoadBench();
  await bench.load([aThing({ changedAt: v2 })]);
  expect(await leftAfter(bench, [aThing({ changedAt: v1 })])).toEqual(['1']);
  expect(await leftAfter(bench, [aThing({ changedAt: v2 })])).toEqual([]); // what is stored is whole
});

test('a record that is set aside is settled when its object is deleted, stored before or not', async () => {
  await using bench = await aLoadBench();
  expect(await leftAfter(bench, [], [{ id: '2', deletedAt: v2 }])).toEqual(['1']);
  expect(await leftAfter(bench, [], [{ id: '1', deletedAt: v2 }])).toEqual([]);
  await bench.load([aThing({ id: '1', changedAt: at('2024-05-03T00:00:00Z') })]);
  expect(await leftAfter(bench, [], [{ id: '1', deletedAt: at('2024-05-04T00:00:00Z') }])).toEqual([]);
});

const keysOf = ({ db }: LoadBench) => db.column('select row_key from ops.rejected_rows order by 1');

// A key is shown and logged, so what looks like a secret or a person stands there as a hash, which still finds it.
test.each(['jane.roe@example.com', `rk_live_${'4'.repeat(24)}`, `1\0${'2'.repeat(300)}`])(
  'a record with the key %j is set aside without it, and settled when it loads or is deleted',
  async (key) => {
    await using bench = await aLoadBench();
    const target = targetOf(bench.shop, { stream: STREAM });
    const reject = () =>
      bench.db.transaction((tx) =>
        rejectRows(tx, { ...target, stream: STREAM }, [{ key, reason: 'unfit', payload: {} }]),
      );
    const load = (items: readonly Item[], deletions: readonly Deletion[]) =>
      bench.db.transaction((tx) => loadItems(tx, target, items, deletions));
    await reject();
    expect(await keysOf(bench)).toEqual([expect.stringMatching(/^sha256:[0-9a-f]{32}$/)]);
    await load([aThing({ id: '2' })], [{ id: 'another@example.com', deletedAt: v2 }]);
    expect(await keysOf(bench)).toHaveLength(1);
    await load([], [{ id: key, deletedAt: v2 }]);
    expect(await keysOf(bench)).toEqual([]);
    if (key.includes('\0')) return; // no such key can load
    await reject();
    await load([aThing({ id: key, changedAt: at('2024-05-03T10:00:00Z') })], []);
    expect(await keysOf(bench)).toEqual([]);
  },
);
