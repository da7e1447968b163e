/** Parts of a brand's connection: who they belong to, and what is computed again when that changes. */
import { expect, test } from 'vitest';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { removeJobs } from '#sql/tenants/removal.ts';
import { rollup } from '#tasks/rollup.ts';
import { type AcornBench, campaign, figure, twoBrands } from '../support/acorn/bench.ts';
import { withAcorn } from '../support/acorn/provider.ts';
import { nightshift } from '../support/cli.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { aConnection, aRetailer, TEST_KEYS } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

type Account = AcornBench['one'];

const spend = [...[figure('01', '10'), figure('02', '20'), figure('02', '5', 'c2'), figure('03', '7', 'c2')]];
const campaigns = [campaign('c1', 'Spring', '1', '01'), campaign('c2', 'Summer', '2', '01')];

async function aBench() {
  const bench = await twoBrands();
  const { db, one, other, served } = bench;
  served.tables = { ...served.tables, spend, campaigns };
  for (const account of [one, other]) {
    for (const stream of ['campaigns', 'opens', 'spend']) await account.sync(stream);
    await runTask(rollup, { brandId: account.brandId, retailerId: null }, db);
  }
  const [brand] = await db.column('select slug from app.brands where id = $1', [one.brandId]);
  const second = await aRetailer(db, { brandId: one.brandId, slug: 'second' });
  const [first] = await db.column('select slug from app.retailers where id = $1', [one.retailerId]);
  const run = (verb: string, ...more: string[]) =>
    nightshift(['connections', verb, 'acorn', ...more, '--brand', String(brand), '--json'], {
      env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
      providers: withAcorn,
    });
  return { ...bench, second, first: String(first), brand: String(brand), run };
}

/** What is marked, by owner; and forgets it. */
async function marked(
  { db }: AcornBench,
  { brandId, retailerId }: Account,
): Promise<Record<string, unknown[]>> {
  const { rows } = await db.query<{ owner: string; marks: unknown[] }>(
    `with gone as (delete from ops.marks where brand_id = $1 returning *)
     select case when retailer_id is null then 'brand' when retailer_id = $2 then 'first' else 'second' end as owner,
            array_agg(distinct subject || ' ' || coalesce(day::text, split_part(object, ' ', 2))
                      order by subject || ' ' || coalesce(day::text, split_part(object, ' ', 2))) as marks
     from gone group by 1`,
    [brandId, retailerId],
  );
  return Object.fromEntries(rows.map(({ owner, marks }) => [owner, marks]));
}

const OF_C2 = ['campaigns c2', 'spend 2026-11-02', 'spend 2026-11-03'];

test('a part is given to a retailer, to another one, and to nobody, and its rows alone are computed again', async () => {
  await using bench = await aBench();
  const { db, one, other, first, run, second } = bench;
  await marked(bench, one);
  expect((await run('map', 'c2', '--retailer', first, '--dry-run')).json()).toMatchObject([
    { dry_run: true, days: 4 },
  ]);
  expect((await run('parts')).json()).toEqual([]);
  const given = await run('map', 'c2', '--retailer', first);
  expect(given).toMatchObject({ code: 0 });
  expect(given.json()).toEqual([
    { connection: 'acorn', part: 'c2', retailer: first, dry_run: false, days: 4 },
  ]);
  expect(await marked(bench, one)).toEqual({ brand: OF_C2, first: OF_C2 });
  expect((await run('map', 'c2', '--retailer', first)).json()).toMatchObject([{ days: 0 }]);
  const taken = await run('map', 'c2', '--retailer', second.slug);
  expect(taken).toMatchObject({ code: 4, stdout: '' });
  expect(taken.stderr).toContain('NS_PART_TAKEN');
  expect((await run('map', 'c2', '--retailer', second.slug, '--move')).json()).toMatchObject([{ days: 6 }]);
  expect(await marked(bench, one)).toEqual({ brand: OF_C2, first: OF_C2, second: OF_C2 });
  expect((await run('parts')).json()).toEqual([{ connection: 'acorn', part: 'c2', retailer: second.slug }]);
  expect((await run('unmap', 'c2')).json()).toMatchObject([{ retailer: null, days: 4 }]);
  expect(await marked(bench, one)).toEqual({ brand: OF_C2, second: OF_C2 });
  expect(await run('unmap', 'c2')).toMatchObject({ code: 3 });
  expect(await db.column('select count(*) from app.connection_parts')).toEqual([0]);
  expect(await marked(bench, other)).toEqual({});
  const done =
    "select action || ' ' || (details ->> 'part') from ops.audit_log where action like 'connections.%map' order by id";
  expect(await db.column(done)).toEqual(['connections.map c2', 'connections.map c2', 'connections.unmap c2']);
});

test('what is written in another way, and a connection of one retailer, are refused', async () => {
  await using bench = await aBench();
  const { db, one, first, brand, run } = bench;
  for (const part of ['Spring', '', 'c'.repeat(300)])
    expect(await run('map', part, '--retailer', first), part).toMatchObject({ code: 2, stdout: '' });
  expect(await run('map', 'c1', '--retailer', 'nobody')).toMatchObject({ code: 3 });
  const shop = await aConnection(db, { brandId: one.brandId, retailerId: one.retailerId });
  const wrong = await nightshift(
    ['connections', 'map', shop.name, 'c1', '--retailer', first, '--brand', brand],
    {
      env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
    },
  );
  expect(wrong).toMatchObject({ code: 4 });
  expect(wrong.stderr).toContain('belongs to one retailer, with everything in it');
  expect(await db.column('select count(*) from app.connection_parts')).toEqual([0]);
});

test('no part outlives its retailer or its connection', async () => {
  await using bench = await aBench();
  const { db, one, first, brand, run, second } = bench;
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  await run('map', 'c1', '--retailer', first);
  await run('map', 'c2', '--retailer', second.slug);
  await marked(bench, one);
  const removed = await nightshift(['retailers', 'remove', 'second', '--brand', brand, '--yes', 'second'], {
    ...{ env, providers: withAcorn },
  });
  expect(removed, removed.stderr).toMatchObject({ code: 0 });
  // Rows of no retailer are the brand's alone, whose figures may count just these.
  expect(await marked(bench, one)).toEqual({ brand: OF_C2 });
  expect((await run('parts')).json()).toEqual([{ connection: 'acorn', part: 'c1', retailer: first }]);
  await removeJobs(db, { kind: 'connection', brandId: one.brandId, id: one.connectionId });
  const gone = await nightshift(['connections', 'remove', 'acorn', '--brand', brand, '--yes', 'acorn'], {
    ...{ env, providers: withAcorn },
  });
  expect(gone, gone.stderr).toMatchObject({ code: 0 });
  expect(await db.column('select count(*) from app.connection_parts')).toEqual([0]);
});

test('a load that waits for a part to be given marks the days of whom it was given to', async () => {
  await using bench = await aBench();
  const { db, one, served } = bench;
  await marked(bench, one);
  served.tables = { ...served.tables, spend: [...spend, figure('05', '9', 'c2')] };
  await using mapping = await openTransaction(db);
  const tables = withAcorn.streams.flatMap((stream) => [...stream.tables]);
  const which = { brandId: one.brandId, connectionId: one.connectionId, part: 'c2' };
  await mapPart(mapping.tx, { ...which, retailerId: one.retailerId, tables, now: new Date() });
  const load = one.sync('spend');
  await untilSomebodyWaitsFor(db, mapping);
  await mapping.commit();
  await load;
  expect((await marked(bench, one)).first).toContain('spend 2026-11-05');
});
