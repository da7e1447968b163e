/** Reading everything again finds what was deleted while nobody told of it, also when it is broken off. */
import { expect, test } from 'vitest';
import { outside } from '../../connectors/stripe/sync/backfill.ts';
import { freshDb } from '../support/db/db.ts';
import { dyingAfter } from '../support/providers/shopify.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const customers = Array.from({ length: 260 }, (_, index) => ({
  id: `cus_${String(index).padStart(3, '0')}`,
  created: NOW_SECONDS - (300 - index) * DAY,
}));
const GONE = ['cus_000', 'cus_130', 'cus_259'];
const left = customers.filter(({ id }) => !GONE.includes(id));
const TOMBSTONES =
  'select id from raw.stripe_customers where connection_id = $1 and deleted_at is not null order by id';

test('a sweep finds what was deleted without an event, in its own account only', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { customers });
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) await one.sync('customers');
  await account.serve({ customers: left });
  await account.sync('customers');
  expect(await db.column(TOMBSTONES, [account.connectionId])).toEqual([]); // no event tells of them
  await account.sync('customers', { full: true });
  expect(await db.column(TOMBSTONES, [account.connectionId])).toEqual(GONE);
  expect(await db.column(TOMBSTONES, [other.connectionId])).toEqual([]);
});

test.each([2, 3, 4])('a sweep that dies at commit %i finds them when it goes on', async (commits) => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { customers });
  await account.sync('customers');
  await account.serve({ customers: left });
  const dying = dyingAfter(db, commits);
  await expect(account.sync('customers', { full: true }, dying)).rejects.toThrow('the machine is gone');
  expect(await db.column("select (position->'load'->>'isSweep')::bool from ops.positions")).toEqual([true]);
  await account.sync('customers');
  expect(await db.column(TOMBSTONES, [account.connectionId])).toEqual(GONE);
  expect(await db.column("select position->'load' from ops.positions")).toEqual([null]);
  // Only who was not listed is asked for alone.
  const alone = (await account.asked()).flatMap((path) => /\/customers\/(\w+)/.exec(path)?.[1] ?? []);
  expect([...new Set(alone)].sort()).toEqual(GONE);
});

test('a first load that dies and goes on asks for no object one by one', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { customers });
  await expect(account.sync('customers', {}, dyingAfter(db, 2))).rejects.toThrow('the machine is gone');
  await account.sync('customers');
  expect(await db.column('select count(*)::int from raw.stripe_customers')).toEqual([260]);
  expect((await account.asked()).filter((path) => path.includes('/customers/'))).toEqual([]);
});

test('what windows leave of a whole is found whatever their order', () => {
  const whole = { from: 0, before: 100 };
  const windows = [
    { from: 60, before: 70 },
    { from: 10, before: 20 },
    { from: 15, before: 30 },
  ];
  expect(outside(windows, whole)).toEqual([
    { from: 0, before: 10 },
    { from: 30, before: 60 },
    { from: 70, before: 100 },
  ]);
  expect(outside([], whole)).toEqual([whole]);
  expect(outside([whole], whole)).toEqual([]);
});
