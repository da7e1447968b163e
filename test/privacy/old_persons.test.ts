/** What providers say of persons is redacted by age: no figure moves, no later reading brings it back, ids stay. */
import { expect, test } from 'vitest';
import { retention } from '#tasks/retention.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { tracesOf } from '../support/privacy/ask.ts';
import { aWorld, CUSTOMER, STRIPE_CUSTOMER, type World } from '../support/privacy/world.ts';
import { runTask } from '../support/run.ts';

const said = (db: TestDb, { brandId }: World) => tracesOf(db, brandId, ['anna berg', 'anna.berg', '/anna']);

async function age(db: TestDb, days: number): Promise<void> {
  const tables = await db.column(
    `select 'raw.' || table_name from information_schema.columns
     where table_schema = 'raw' and column_name = 'changed_at' order by 1`,
  );
  for (const name of tables)
    await db.query(`update ${name} set changed_at = changed_at - make_interval(days => $1)`, [days]);
}

test('of the brand whose rule says so, broken off anywhere, twice', async () => {
  await using db = await freshDb();
  await using one = await aWorld(db);
  await using other = await aWorld(db);
  for (const world of [one, other]) {
    await world.sync(false);
    await world.roll();
  }
  await age(db, 200);
  const { brandId } = one;
  const before = await one.figures();
  const ofOther = async () => [await other.figures(), (await said(db, other)).length];
  const untouched = await ofOther();
  expect((await said(db, one)).length).toBeGreaterThan(5);

  expect(await runTask(retention, { brandId }, db)).toMatchObject({ persons: 0 });
  await db.query("insert into app.retention (brand_id, rule, kept) values ($1, 'persons', 90)", [brandId]);
  let runs = 0;
  for (let [isDone, left] = [false, 0]; !isDone && runs < 100; runs++) {
    left = 4 + 6 * runs;
    const breaking = aroundTransactions(db, async (transaction) => {
      if (left-- === 0) throw new Error('the worker is lost');
      return transaction();
    });
    isDone = await runTask(retention, { brandId }, breaking, { control: db }).then(
      () => true,
      () => false,
    );
  }
  expect(runs).toBeGreaterThan(2);
  expect(await said(db, one)).toEqual([]);
  // Whether a customer has agreed to mail stays.
  expect(
    await db.column(
      "select payload - 'defaultEmailAddress' || (payload -> 'defaultEmailAddress') - 'marketingUpdatedAt' from raw.shopify_customers where brand_id = $1",
      [brandId],
    ),
  ).toEqual(
    Array(2).fill({ erased: true, marketingState: 'SUBSCRIBED', marketingOptInLevel: 'SINGLE_OPT_IN' }),
  );
  const ids = await tracesOf(db, brandId, [CUSTOMER, STRIPE_CUSTOMER]);
  expect(ids.length).toBeGreaterThan(5);
  expect(await one.figures()).toEqual(before);
  const headers = await one.headers();
  expect(await runTask(retention, { brandId }, db)).toMatchObject({ persons: 0 });
  expect(await one.headers()).toEqual(headers);

  // All of it is read again, which writes nothing; then as if it had changed.
  await age(db, -200);
  const equal = await one.headers();
  await one.sync();
  expect(await one.headers()).toEqual(equal);
  await age(db, 1);
  await one.sync();
  await one.roll();
  expect(await said(db, one)).toEqual([]);
  expect(await one.figures()).toEqual(before);
  expect(await ofOther()).toEqual(untouched);
});
