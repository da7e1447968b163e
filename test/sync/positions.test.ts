import { expect, test } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { recordCheck } from '#sql/load/checks.ts';
import type { StreamKey } from '#sql/load/stream_key.ts';
import { finishRuns, readStates, savePositions } from '#sql/load/sync_state.ts';
import type { Json } from '#sql/load/table.ts';
import { freshDb } from '../support/db/db.ts';
import { twoShops } from '../support/rows/factory.ts';

const keyOf = (
  { brand, connection }: Awaited<ReturnType<typeof twoShops>>[0],
  stream = 'shopify.orders',
): StreamKey => ({
  ...{ brandId: brand.id, connectionId: connection.id, stream },
});
const savePosition = (tx: Tx, key: StreamKey, position: Json, now?: Date) =>
  savePositions(tx, key, [{ stream: key.stream, position }], now);
const readPosition = async (db: Db, key: StreamKey) =>
  (await readStates(db, key)).get(key.stream)?.position ?? null;

const at = (minute: number) => new Date(Date.UTC(2024, 5, 1, 0, minute));

test('a position is read as it was saved, for its stream and connection only', async () => {
  await using db = await freshDb();
  const [one, other] = await twoShops(db);
  const key = keyOf(one);
  expect(await readPosition(db, key)).toBeNull();
  await db.transaction((tx) => savePosition(tx, key, { upTo: 'a' }, at(1)));
  await db.transaction((tx) => savePosition(tx, key, { upTo: 'b', list: [1, null] }, at(2)));
  expect(await readPosition(db, key)).toEqual({ upTo: 'b', list: [1, null] });
  expect(await readPosition(db, keyOf(one, 'shopify.shop'))).toBeNull();
  expect(await readPosition(db, keyOf(other))).toBeNull();
});

test('a position that is saved in a transaction which fails is the old one', async () => {
  await using db = await freshDb();
  const key = keyOf((await twoShops(db))[0]);
  await db.transaction((tx) => savePosition(tx, key, { n: 1 }));
  const failing = db.transaction(async (tx) => {
    await savePosition(tx, key, { n: 2 });
    throw new Error('the page does not fit');
  });
  await expect(failing).rejects.toThrow('the page does not fit');
  expect(await readPosition(db, key)).toEqual({ n: 1 });
});

test('a run that is not whole keeps the instant of the last one that was, and no position of its own', async () => {
  await using db = await freshDb();
  const key = keyOf((await twoShops(db))[0]);
  const finish = (state: 'ok' | 'partial' | 'failing', minute: number, cause: string | null = null) =>
    db.transaction((tx) => finishRuns(tx, key, [{ stream: key.stream, state, cause }], at(minute)));
  const state = async () =>
    (await db.rows('select state, cause, last_run_at, last_success_at from ops.positions'))[0];

  await finish('failing', 1, 'no answer');
  expect(await state()).toEqual({
    state: 'failing',
    cause: 'no answer',
    last_run_at: at(1),
    last_success_at: null,
  });
  expect(await readPosition(db, key)).toBeNull();
  await finish('ok', 2);
  expect(await state()).toEqual({ state: 'ok', cause: null, last_run_at: at(2), last_success_at: at(2) });
  await finish('partial', 3, '2 records rejected');
  expect(await state()).toEqual({
    ...{ state: 'partial', cause: '2 records rejected', last_run_at: at(3), last_success_at: at(2) },
  });
});

test('a check keeps what was expected and found, to the last digit', async () => {
  await using db = await freshDb();
  const key = keyOf((await twoShops(db))[0]);
  const check = { name: 'total', expected: '12345678901234567890.123', found: 7, ok: false, cause: 'less' };
  await db.transaction((tx) => recordCheck(tx, key, check, at(1)));
  expect(
    await db.rows('select check_name, expected, found, ok, cause, checked_at from ops.completeness'),
  ).toEqual([
    {
      ...{ check_name: 'total', expected: '12345678901234567890.123', found: '7' },
      ...{ ok: false, cause: 'less', checked_at: at(1) },
    },
  ]);
});
