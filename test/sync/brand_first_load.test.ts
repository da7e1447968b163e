/** The first load of a connection of a whole brand makes the rollups of all whose days it marks due when it ends. */
import { expect, test } from 'vitest';
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

test('a retailer that has a part waits for first loads of its own, the brand does not', async () => {
  await using bench = await twoBrands();
  const { db, one } = bench;
  const { brandId, connectionId, retailerId } = one;
  await db.query("insert into app.connection_parts values ($1, $2, 'c1', $3)", [
    brandId,
    connectionId,
    retailerId,
  ]);
  const shop = await aConnection(db, { brandId, retailerId });
  await db.transaction((tx) => requestSync(tx, { brandId, connectionId: shop.id, stream: 'shopify.orders' }));
  await want(bench, one);
  for (const stream of STREAMS) await one.sync(stream);
  expect(await waiting(bench, one)).toEqual([
    { of: 'brand', due: true },
    { of: retailerId, due: false },
  ]);
});
