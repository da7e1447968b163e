/** A person is erased from all that is stored of a brand: no figure moves, and nothing brings the person back. */
import { expect, test } from 'vitest';
import type { Identity } from '#sql/privacy/identity.ts';
import { storeRequest } from '#sql/privacy/requests.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { dumpOf } from '../support/db/dump.ts';
import { aWorld, CUSTOMER, EMAIL, STRIPE_CUSTOMER, type World } from '../support/privacy/world.ts';
import { testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

export async function ask(db: TestDb, brandId: string, connectionId: string | null, person: Identity) {
  const { id } = await db.transaction((tx) =>
    storeRequest(tx, testSealer, {
      ...{
        brandId,
        connectionId,
        kind: 'erase_person',
        subject: {},
        source: 'operator',
        dueDays: 30,
        person,
      },
    }),
  );
  return id;
}

async function erase(db: TestDb, world: World) {
  const { brandId, shop, stripe } = world;
  const requests = [
    await ask(db, brandId, null, { email: ` ${EMAIL.toUpperCase()}` }),
    await ask(db, brandId, shop.connectionId, { customer: CUSTOMER }),
    await ask(db, brandId, stripe.connectionId, { customer: STRIPE_CUSTOMER }),
  ];
  for (const request of requests) await runTask(privacyErase, { brandId, request }, db);
  return requests;
}

/** What of the person any row of the brand contains. */
async function tracesOf(db: TestDb, { brandId }: World): Promise<string[]> {
  const { digestOf } = await personKeyOf(db, testSealer, brandId);
  const wanted = [
    EMAIL.toLowerCase(),
    CUSTOMER,
    STRIPE_CUSTOMER.toLowerCase(),
    digestOf(EMAIL) ?? '',
    'anna',
  ];
  const rows = (await dumpOf(db)).filter((row) => row.includes(brandId));
  return rows.filter((row) => wanted.some((text) => row.toLowerCase().includes(text)));
}

test('nothing of an erased person is left, no figure moves, and no later reading brings anything back', async () => {
  await using db = await freshDb();
  await using one = await aWorld(db);
  await using other = await aWorld(db);
  for (const world of [one, other]) {
    await world.sync(false);
    await world.roll();
  }
  expect((await tracesOf(db, one)).length).toBeGreaterThan(15);
  const before = await one.figures();
  expect(before.daily_sales).toHaveLength(3);
  expect(before.daily_mrr?.length).toBeGreaterThan(0);
  expect(before.daily_email?.length).toBeGreaterThan(0);
  const untouched = [await other.figures(), await other.headers()];

  await erase(db, one);
  expect(await tracesOf(db, one)).toEqual([]);
  expect(await one.figures()).toEqual(before);
  await one.roll();
  expect(await one.figures()).toEqual(before);
  expect([await other.figures(), await other.headers()]).toEqual(untouched);

  const headers = await one.headers();
  await one.sync();
  expect(await tracesOf(db, one)).toEqual([]);
  expect(await one.headers()).toEqual(headers);
  await one.roll();
  expect(await one.figures()).toEqual(before);
  expect(
    await db.rows("select stream, cause from ops.positions where state <> 'ok' and brand_id = $1", [
      one.brandId,
    ]),
  ).toEqual([]);
});
