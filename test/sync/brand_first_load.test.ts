/** The first load of a connection of a whole brand makes the rollups of all whose days it marks due when it ends. */
import { expect, test } from 'vitest';
import { markPartitions } from '#sql/dirty/marks.ts';
import { endedFirstLoads } from '#sql/load/first_loads.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { requestSync } from '#tasks/request_sync.ts';
import { rollup } from '#tasks/rollup.ts';
import { type AcornBench, STREAMS, twoBrands } from '../support/acorn/bench.ts';
import { aConnection } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

type Account = AcornBench['one'];

async function want(
  { db }: AcornBench,
  { brandId, connectionId }: Pick<Account, 'brandId' | 'connectionId'>,
) {
  for (const stream of STREAMS)
    await db.transaction((tx) => requestSync(tx, { brandId, connectionId, stream: `acorn.${stream}` }));
}

/** Whose rollups wait, and whether they may run. */
function waiting({ db }: AcornBench, { brandId }: Account): Promise<unknown[]> {
  return db.rows(
    `select split_part(key, ':', 3) as of, run_at <= now() as due from graphile_worker.jobs
     where task_identifier = 'rollup' and split_part(key, ':', 2) = $1 order by split_part(key, ':', 3) <> 'brand'`,
    [brandId],
  );
}

test('the last of its streams makes the rollup of the brand due', async () => {
  await using bench = await twoBrands();
  const { db, one, other } = bench;
  for (const account of [one, other]) await want(bench, account);
  for (const stream of STREAMS.slice(0, -1)) await one.sync(stream);
  expect(await waiting(bench, one)).toEqual([{ of: 'brand', due: false }]);
  await one.sync('views');
  expect(await waiting(bench, one)).toEqual([{ of: 'brand', due: true }]);
  await other.sync('views');
  expect(await waiting(bench, other)).toEqual([{ of: 'brand', due: false }]);
  await runTask(rollup, { brandId: one.brandId, retailerId: null }, db);
  expect(await db.column('select distinct brand_id from ops.marks')).toEqual([other.brandId]);
});

async function aPart({ db }: AcornBench, { brandId, connectionId, retailerId }: Account): Promise<void> {
  await db.query("insert into app.connection_parts values ($1, $2, 'c1', $3)", [
    ...[brandId, connectionId, retailerId],
  ]);
}

test('a retailer that has a part waits for first loads of its own, the brand does not', async () => {
  await using bench = await twoBrands();
  const { db, one } = bench;
  const { brandId, retailerId } = one;
  await aPart(bench, one);
  const shop = await aConnection(db, { brandId, retailerId });
  await db.transaction((tx) => requestSync(tx, { brandId, connectionId: shop.id, stream: 'shopify.orders' }));
  await want(bench, one);
  for (const stream of STREAMS) await one.sync(stream);
  expect(await waiting(bench, one)).toEqual([
    { of: 'brand', due: true },
    { of: retailerId, due: false },
  ]);
});

test('a retailer does not wait for a first load of the whole brand, though a part of that is its own', async () => {
  await using bench = await twoBrands();
  const { db, one } = bench;
  const { brandId, connectionId, retailerId } = one;
  await aPart(bench, one);
  await want(bench, one);
  const shop = await aConnection(db, { brandId, retailerId });
  const key = { brandId, connectionId: shop.id, stream: 'shopify.orders' };
  const marks = { marks: [{ subject: 'sales', day: '2026-03-01' }] } as const;
  const ended = await db.transaction(async (tx) => {
    const target = { brandId, owners: [retailerId], timeZone: 'UTC', now: new Date() };
    await markPartitions(tx, target, marks);
    return [
      await endedFirstLoads(tx, key, true),
      await endedFirstLoads(tx, { ...key, connectionId, stream: `acorn.${STREAMS[0]}` }, true),
    ];
  });
  expect(ended).toEqual([[retailerId], [retailerId]]); // of the brand other streams are still being read
});

test('a rollup whose marks another one has taken does not wait for its time', async () => {
  await using bench = await twoBrands();
  const { db, one, other } = bench;
  const { brandId, connectionId, retailerId } = one;
  const key = { brandId, connectionId, stream: `acorn.${STREAMS[0]}` };
  const ended = () => db.transaction((tx) => endedFirstLoads(tx, key, true));
  const queue = (of: Account, owner: string | null) =>
    db.transaction((tx) =>
      enqueue(tx, rollup, { brandId: of.brandId, retailerId: owner }, { delaySeconds: 600 }),
    );
  for (const owner of [other.retailerId, null]) await queue(other, owner);
  await queue(one, retailerId); // of an owner that this load marks nothing of
  expect(await ended()).toEqual([]);
  await queue(one, null);
  expect(await ended()).toEqual([null]);
});
