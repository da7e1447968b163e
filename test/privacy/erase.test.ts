/** A person is erased from all that is stored of a brand: no figure moves, and nothing brings the person back. */
import { expect, test } from 'vitest';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { aWorld, CUSTOMER, EMAIL, STRIPE_CUSTOMER, type World } from '../support/privacy/world.ts';
import { runTask } from '../support/run.ts';

async function erase(db: TestDb, world: World) {
  const { brandId, shop, stripe } = world;
  const requests = [
    await askErasure(db, { brandId, connectionId: null }, { email: ` ${EMAIL.toUpperCase()}` }),
    await askErasure(db, shop, { customer: CUSTOMER }),
    await askErasure(db, stripe, { customer: STRIPE_CUSTOMER }),
  ];
  for (const request of requests) await runTask(privacyErase, { brandId, request }, db);
  return requests;
}

const traces = (db: TestDb, { brandId }: World) =>
  tracesOf(db, brandId, [CUSTOMER, STRIPE_CUSTOMER, 'anna'], EMAIL);

test('nothing of an erased person is left, no figure moves, and no later reading brings anything back', async () => {
  await using db = await freshDb();
  await using one = await aWorld(db);
  await using other = await aWorld(db);
  for (const world of [one, other]) {
    await world.sync(false);
    await world.roll();
  }
  expect((await traces(db, one)).length).toBeGreaterThan(15);
  const before = await one.figures();
  expect(before.daily_sales).toHaveLength(3);
  expect(before.daily_mrr?.length).toBeGreaterThan(0);
  expect(before.daily_email?.length).toBeGreaterThan(0);
  const untouched = [await other.figures(), await other.headers()];

  await erase(db, one);
  expect(await traces(db, one)).toEqual([]);
  expect(await one.figures()).toEqual(before);
  await one.roll();
  expect(await one.figures()).toEqual(before);
  expect([await other.figures(), await other.headers()]).toEqual(untouched);

  const headers = await one.headers();
  await one.sync();
  expect(await traces(db, one)).toEqual([]);
  expect(await one.headers()).toEqual(headers);
  await one.roll();
  expect(await one.figures()).toEqual(before);
  expect(
    await db.rows("select stream, cause from ops.positions where state <> 'ok' and brand_id = $1", [
      one.brandId,
    ]),
  ).toEqual([]);
});
