/** Instants at which MRR could go wrong for ever: clocks that differ, zones, and years without a rollup. */
import { expect, test } from 'vitest';
import { subscriptions } from '#connectors/stripe/streams/subscriptions.ts';
import { rollForward } from '#sql/dirty/roll_forward.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { freshDb } from '../support/db/db.ts';
import { assertAddsUp, mrrRows, rollUp } from '../support/mrr/mrr.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const second = (instant: string) => Date.parse(instant) / 1000;
const PRICES = [
  { id: 'month', currency: 'usd', product: 'prod_1', unit_amount: 1_000, recurring: { interval: 'month' } },
];
const sub = (created: string, more: object = {}) => ({
  ...{ id: 'sub_1', customer: 'cus_1', created: second(created) },
  items: [{ id: 'si_1', price: 'month' }],
  ...more,
});

const END = '2026-11-15T12:00:00Z';
const over = { status: 'canceled', canceled_at: second(END), ended_at: second(END) };

// Stripe says 12:00:00 of all that happens in this second.
test.each([
  { what: 'in the second in which it was read', seen: '2026-11-15T12:00:00.700Z' },
  { what: 'just after it was read, by a clock that is ahead', seen: '2026-11-15T12:00:03.200Z' },
])('a subscription that ends $what is over', async ({ seen }) => {
  await using db = await freshDb();
  const files = {
    prices: PRICES,
    subscriptions: [sub('2026-11-13T00:00:00Z'), sub('2026-11-13T00:00:00Z', { ...over, _at: second(END) })],
  };
  await using account = await anAccountOf(db, files, { now: '2026-11-15T11:59:59Z' });
  const other = await connectStripe(db, account.sandbox);
  const look = async (now: string) => {
    for (const { sync } of [account, other]) await sync('subscriptions', { now });
    for (const { brandId } of [account, other]) await rollUp(db, brandId, now);
  };
  await look(seen);
  const later = '2026-11-17T06:00:00Z';
  await account.serve(files, { now: later });
  await look(later);
  for (const { brandId } of [account, other]) {
    const rows = await mrrRows(db, brandId);
    assertAddsUp(rows);
    expect(rows.map(({ day, mrr, churned_mrr }) => `${day} ${mrr} ${churned_mrr}`)).toEqual([
      '2026-11-13 10 0',
      '2026-11-14 10 0',
      '2026-11-15 0 10',
    ]);
  }
});

test('a day that has not begun in the new zone of a brand has no row', async () => {
  await using db = await freshDb();
  const now = '2026-11-20T20:00:00Z'; // of the 21st in Kolkata
  await using account = await anAccountOf(
    db,
    { prices: PRICES, subscriptions: [sub('2026-11-19T00:00:00Z')] },
    { now },
  );
  const other = await connectStripe(db, account.sandbox);
  await db.query("update app.brands set time_zone = 'Asia/Kolkata'");
  for (const { brandId, sync } of [account, other]) {
    await sync('subscriptions', { now });
    await rollUp(db, brandId, now);
  }
  const { brandId } = account;
  const change = { brandId, tables: [subscriptions], now: new Date(now), actor: 'test' };
  await db.transaction((tx) => changeTimeZone(tx, 'America/New_York', change));
  await rollUp(db, brandId, now);
  const days = async (id: string) => (await mrrRows(db, id)).map(({ day }) => day);
  expect(await days(brandId)).toEqual(['2026-11-18', '2026-11-19', '2026-11-20']);
  expect(await days(other.brandId)).toEqual(['2026-11-19', '2026-11-20', '2026-11-21']);
});

// As with a demo of the past that somebody rolled up as of today, and runs again.
test('a sync as of an earlier day asks for the rollup that takes later days back', async () => {
  await using db = await freshDb();
  const now = '2026-11-13T06:00:00Z';
  await using account = await anAccountOf(
    db,
    { prices: PRICES, subscriptions: [sub('2026-11-10T00:00:00Z')] },
    { now },
  );
  const asked = async () => {
    await db.query("delete from graphile_worker._private_jobs where key like 'rollup:%'");
    await account.sync('subscriptions', { now });
    return db.column("select payload ->> 'now' from graphile_worker._private_jobs where key like 'rollup:%'");
  };
  await account.sync('subscriptions', { now });
  await rollUp(db, account.brandId, now);
  expect(await asked()).toEqual([]);
  await rollUp(db, account.brandId, '2026-11-20T06:00:00Z');
  expect(await asked()).toEqual([now]);
  await rollUp(db, account.brandId, now);
  expect((await mrrRows(db, account.brandId)).at(-1)?.day).toBe('2026-11-13');
  expect(await asked()).toEqual([]);
});

// As with data of the past that were rolled up as of their own time, and then as of today.
test('years without a rollup are carried to their end, and taken back', async () => {
  await using db = await freshDb();
  const before = '2011-11-20T20:00:00Z';
  await using account = await anAccountOf(
    db,
    { prices: PRICES, subscriptions: [sub('2011-11-19T00:00:00Z')] },
    { now: before },
  );
  await account.sync('subscriptions', { now: before });
  await rollUp(db, account.brandId, before);
  const [retailerId] = await db.column('select id from app.retailers where brand_id = $1', [account.brandId]);
  const carry = async (now: string) => {
    const which = { brandId: account.brandId, retailerId: String(retailerId), now: new Date(now) };
    const marked = await db.transaction((tx) => rollForward(tx, which));
    const days = await db.column(
      `select array[min(day), max(day)]::text[] from ops.marks where brand_id = $1`,
      [account.brandId],
    );
    await db.query('delete from ops.marks');
    return [marked, ...days];
  };
  const all = [5_481, ['2011-11-20', '2026-11-21']];
  expect(await carry('2026-11-21T08:00:00Z')).toEqual(all);
  expect(await carry(before)).toEqual(all);
});
