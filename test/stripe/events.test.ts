import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';

const CREATED = NOW_SECONDS - 40 * 86_400;
const LATER = '2026-11-20T07:00:00Z';
const event = (id: string, type: string, created: number, object: object) => {
  return { id, type, created, data: { object } };
};

test('a charge that changes while the first load reads it ends at its newest version', async () => {
  await using db = await freshDb();
  const read = charge('ch_1', { created: CREATED });
  const changed = charge('ch_1', { created: CREATED, disputed: true });
  await using account = await anAccountOf(db, { charges: [read] });
  await account.sync('charges');
  const dispute = { id: 'dp_1', object: 'dispute', charge: 'ch_1' };
  const events = [event('evt_1', 'charge.dispute.created', NOW_SECONDS - 1, dispute)];
  await account.serve({ charges: [changed], events }, { now: LATER });
  await account.sync('charges', { now: LATER });
  expect(await account.rows('charges', 'id, disputed')).toEqual([{ id: 'ch_1', disputed: true }]);
});

test('a refund of which only an event of its charge tells is read', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, { charges: [charge('ch_1', { created: CREATED })] });
  await account.sync('refunds');
  const created = NOW_SECONDS + 60;
  const events = [event('evt_1', 'charge.refunded', created, { id: 'ch_1', object: 'charge' })];
  const refunds = [{ id: 're_1', amount: 100, currency: 'usd', created, charge: 'ch_1' }];
  await account.serve({ charges: [charge('ch_1', { created: CREATED })], refunds, events }, { now: LATER });
  await account.sync('refunds', { now: LATER });
  expect(await account.rows('refunds', 'id, amount')).toEqual([{ id: 're_1', amount: '1' }]);
});

test('many new charges are listed instead of being asked for one by one, all that share a second', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  await account.sync('charges');
  const created = NOW_SECONDS + 60;
  const charges = Array.from({ length: 150 }, (_, index) => charge(`ch_${index}`, { created }));
  await account.serve({ charges }, { now: LATER });
  await account.sync('charges', { now: LATER });
  expect(await account.rows('charges', 'id')).toHaveLength(150);
  const asked = await account.asked();
  expect(asked.filter((path) => /^\/v1\/charges\//.test(path))).toEqual([]);
});

test('what an event names and Stripe does not give is not a deletion, and the run is not whole', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  await account.sync('charges');
  const events = [event('evt_1', 'charge.updated', NOW_SECONDS + 60, { id: 'ch_9', object: 'charge' })];
  await account.serve({ events }, { now: LATER });
  expect((await account.sync('charges', { now: LATER })).incomplete).toContain('ch_9');
});

test('what Stripe does not give although an event names it is asked for until it comes', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  const other = await connectStripe(db, account.sandbox);
  for (const one of [account, other]) await one.sync('charges');
  const created = NOW_SECONDS + 60;
  const events = [event('evt_1', 'charge.updated', created, { id: 'ch_9', object: 'charge' })];
  const hour = (count: number) => new Date((NOW_SECONDS + count * 3_600) * 1000).toISOString();
  await account.serve({ events }, { now: hour(1) });
  for (const count of [1, 2, 3])
    expect((await account.sync('charges', { now: hour(count) })).incomplete).toContain('ch_9');
  await account.serve({ events, charges: [charge('ch_9', { created })] }, { now: hour(4) });
  for (const one of [account, other]) {
    expect(await one.sync('charges', { now: hour(4) })).toMatchObject({ changed: 1 });
    expect(await one.sync('charges', { now: hour(5) })).toMatchObject({ read: 0 });
    expect(await one.rows('charges', 'id')).toEqual([{ id: 'ch_9' }]);
  }
  const states = await db.column("select state from ops.positions where stream = 'stripe.charges'");
  expect(states).toEqual(['ok', 'ok']);
});
