/** A person is erased from all that is stored of a brand: no figure moves, and nothing brings the person back. */
import { expect, test } from 'vitest';
import { personsOf } from '#sql/tenants/persons.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { aWorld, CUSTOMER, EMAIL, STRIPE_CUSTOMER, type World } from '../support/privacy/world.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { testSealer } from '../support/rows/factory.ts';
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
  expect(before.daily_sales).toHaveLength(4);
  expect(before.order_credits).toHaveLength(1);
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
  for (const stream of ['customers', 'charges', 'refunds'])
    await one.stripe.sync(stream, { reconcile: true });
  expect(await traces(db, one)).toEqual([]);
  expect(await one.headers()).toEqual(headers);
  expect(await db.rows('select check_name, cause from ops.completeness where not ok')).toEqual([]);
  // Who had unsubscribed gets no mail now either.
  const personOf = await personsOf(db, testSealer, one.brandId);
  const listed = await one.mail.rows('unsubscribes', 'email_hash');
  expect(listed).toContainEqual({ email_hash: personOf(EMAIL) });
  await one.roll();
  expect(await one.figures()).toEqual(before);
  expect(
    await db.rows("select stream, cause from ops.positions where state <> 'ok' and brand_id = $1", [
      one.brandId,
    ]),
  ).toEqual([]);
});

// A list has the id, and the table a pseudonym: neither is missing on the other side, and a deletion finds its row.
test('an erased customer that Stripe deletes becomes a tombstone, heard of or not', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 10 * 86_400;
  const customers = [
    { id: 'cus_heard', created, email: EMAIL },
    { id: 'cus_unheard', created },
    { id: 'cus_stays', created },
  ];
  await using account = await anAccountOf(db, { customers });
  await account.sync('customers');
  for (const { id } of customers) {
    const request = await askErasure(db, account, { customer: id });
    await runTask(privacyErase, { brandId: account.brandId, request }, db);
  }
  const live = () =>
    account.rows('customers', "id like 'erased:%' as pseudonym, deleted_at is not null as deleted");
  const stored = [{ pseudonym: true, deleted: false }];
  expect(await live()).toEqual([...stored, ...stored, ...stored]);
  const events = [
    {
      ...{ id: 'evt_1', type: 'customer.deleted', created: NOW_SECONDS - 60 },
      data: { object: { id: 'cus_heard', object: 'customer', created } },
    },
  ];
  await account.serve({ customers: customers.slice(2), events });
  await account.sync('customers', { reconcile: true });
  expect((await live()).filter(({ deleted }) => deleted)).toHaveLength(2);
  expect(await db.rows('select check_name, cause from ops.completeness where not ok')).toEqual([]);
  expect(await tracesOf(db, account.brandId, ['cus_stays', 'cus_heard'])).toEqual([]);
});

test('a promotion code does not say whom it is for, and one that did says so no more', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 10 * 86_400;
  const id = 'cus_ofPromotion';
  await using account = await anAccountOf(db, {
    customers: [{ id, created }],
    coupons: [{ id: 'co_1', percent_off: 10, duration: 'once', created }],
    promotion_codes: [
      { id: 'promo_1', code: 'HELLO', promotion: { type: 'coupon', coupon: 'co_1' }, customer: id, created },
    ],
  });
  for (const stream of ['coupons', 'promotion_codes']) await account.sync(stream);
  expect(await tracesOf(db, account.brandId, [id])).toEqual([]);
  await db.query(
    `update raw.stripe_promotion_codes set payload = coalesce(payload, '{}') || jsonb_build_object('customer', $1::text)`,
    [id],
  );
  const request = await askErasure(db, account, { customer: id });
  await runTask(privacyErase, { brandId: account.brandId, request }, db);
  expect(await tracesOf(db, account.brandId, [id])).toEqual([]);
  expect(await account.rows('promotion_codes', 'code')).toEqual([{ code: 'HELLO' }]);
});
