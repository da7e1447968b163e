import { expect, test } from 'vitest';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { post } from '../support/providers/sandbox.ts';
import { charge, type Files, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;
const CREATED = NOW_SECONDS - 40 * DAY;
/** Something happens ten minutes after the first load. */
const CHANGED = NOW_SECONDS + 600;
const time = (seconds: number) => new Date(seconds * 1000).toISOString();

type Account = Awaited<ReturnType<typeof anAccountOf>>;

/** One that may be asked as fast as we can, so that nobody waits here. */
async function anAccount(db: TestDb, files: Files): Promise<Account> {
  const account = await anAccountOf(db, files);
  await db.transaction((tx) => limitRequests(tx, account, 2_000));
  return account;
}

/** The same account as of another instant. */
async function clock({ sandbox }: Account, seconds: number): Promise<string> {
  const now = time(seconds);
  const answer = await post(sandbox, 'load', { dir: sandbox.dir, now });
  expect(answer.ok).toBe(true);
  return now;
}

async function syncAt(account: Account, stream: string, seconds: number) {
  return account.sync(stream, { now: await clock(account, seconds) });
}

const changing = (id: string, at: number, more: object = { disputed: true }) => [
  charge(id, { created: CREATED }),
  charge(id, { created: CREATED, ...more, _at: at }),
];

const disputed = (db: TestDb) =>
  db.column('select id from raw.stripe_charges where disputed order by id collate "C"');

// What shows up late is listed so long after it happened; the sync runs every 17 seconds meanwhile.
test.each([45, 60, 61, 180, 360])('an event that shows up %i s late is not lost', async (seconds) => {
  await using db = await freshDb();
  await using account = await anAccount(db, { charges: changing('ch_1', CHANGED) });
  await account.sync('charges');
  await account.faults({ kind: 'late_events', seconds, count: 0 });
  for (let at = CHANGED - 17; at < CHANGED + seconds + 80; at += 17) await syncAt(account, 'charges', at);
  expect(await disputed(db)).toEqual(['ch_1']);
});

// Later than the lag and the overlap together nothing reads it any more, until everything is read again.
test('an event that shows up later than the overlap reaches back costs a full reading, no more', async () => {
  await using db = await freshDb();
  await using account = await anAccount(db, { charges: changing('ch_1', CHANGED) });
  await account.sync('charges');
  await account.faults({ kind: 'late_events', seconds: 900, count: 0 });
  for (let at = CHANGED; at < CHANGED + 1_200; at += 300) await syncAt(account, 'charges', at);
  expect(await disputed(db)).toEqual([]);
  await account.sync('charges', { full: true, now: await clock(account, CHANGED + 1_300) });
  expect(await disputed(db)).toEqual(['ch_1']);
});

test('more events in one second than fit on a page, in any order, are all heard', async () => {
  await using db = await freshDb();
  const ids = Array.from({ length: 230 }, (_, index) => `ch_${index}`);
  const events = ids.map((id, index) => ({
    ...{ id: `evt_${(index * 97) % 230}`, type: 'charge.updated', created: CHANGED },
    data: { object: { ...charge(id, { created: CREATED }), object: 'charge' } },
  }));
  await using account = await anAccount(db, {
    charges: ids.flatMap((id) => changing(id, CHANGED)),
    events,
  });
  await account.sync('charges');
  await syncAt(account, 'charges', CHANGED + 3_600);
  expect(await disputed(db)).toHaveLength(230);
});

// The older event names the older state; what counts is what Stripe says when it is asked.
test('events that come the wrong way round leave the newest state', async () => {
  await using db = await freshDb();
  const event = (id: string, created: number, at: number, more: object) => ({
    ...{ id, type: 'charge.updated', created, _at: at },
    data: { object: { ...charge('ch_1', { created: CREATED, ...more }), object: 'charge' } },
  });
  await using account = await anAccount(db, {
    charges: [
      ...changing('ch_1', CHANGED),
      charge('ch_1', { created: CREATED, disputed: true, amount_refunded: 700, _at: CHANGED + 5 }),
    ],
    events: [
      event('evt_late', CHANGED, CHANGED + 130, { disputed: true }),
      event('evt_soon', CHANGED + 5, CHANGED + 5, { disputed: true, amount_refunded: 700 }),
    ],
  });
  await account.sync('charges');
  for (const after of [70, 140, 210]) await syncAt(account, 'charges', CHANGED + after);
  expect(await account.rows('charges', 'id, disputed, amount_refunded')).toEqual([
    { id: 'ch_1', disputed: true, amount_refunded: '7' },
  ]);
});

const many = (change: number) =>
  Array.from({ length: 900 }, (_, index) => {
    const created = CREATED + index * 3_000;
    const id = `ch_${String(index).padStart(3, '0')}`;
    const later = charge(id, { created, disputed: true, _at: change });
    return index % 3 === 0 ? [charge(id, { created }), later] : [charge(id, { created })];
  }).flat();

test('what changes while the first load is under way ends at its newest version, read before or after', async () => {
  await using db = await freshDb();
  const change = NOW_SECONDS + 20; // the provider's clock goes on while we read
  await using account = await anAccount(db, { charges: many(change) });
  await account.faults({ kind: 'slow', on: 'stripe', ms: 60, count: 0 });
  const load = account.sync('charges');
  await eventually(async () => expect(await account.rows('charges', 'id')).not.toEqual([]));
  await clock(account, change + 1);
  await load;
  expect((await disputed(db)).length).toBeLessThan(300); // else the test was too late to test anything
  await account.faults();
  await syncAt(account, 'charges', change + 120);
  expect(await disputed(db)).toHaveLength(300);
});

test('a customer that is deleted while the first load is under way is not there in the end', async () => {
  await using db = await freshDb();
  const deleted = NOW_SECONDS + 20;
  const customers = Array.from({ length: 900 }, (_, index) => [
    { id: `cus_${index}`, created: CREATED + index * 3_000 },
    ...(index % 3 === 0 ? [{ id: `cus_${index}`, deleted: true, _at: deleted }] : []),
  ]).flat();
  await using account = await anAccount(db, { customers });
  await account.faults({ kind: 'slow', on: 'stripe', ms: 60, count: 0 });
  const load = account.sync('customers');
  await eventually(async () => expect(await account.rows('customers', 'id')).not.toEqual([]));
  await clock(account, deleted + 1);
  await load;
  await account.faults();
  await syncAt(account, 'customers', deleted + 120);
  const left = await db.column('select id from raw.stripe_customers where deleted_at is null');
  expect(left).toHaveLength(600);
  expect(left.filter((id) => Number(String(id).slice(4)) % 3 === 0)).toEqual([]);
});

test('after more days than Stripe keeps events what changed, came and went is found all the same', async () => {
  await using db = await freshDb();
  const gone = NOW_SECONDS + DAY;
  const files: Files = {
    charges: [...changing('ch_1', gone), charge('ch_2', { created: gone })],
    customers: [
      ...[
        { id: 'cus_1', created: CREATED },
        { id: 'cus_2', created: CREATED },
      ],
      ...[
        { id: 'cus_2', deleted: true, _at: gone },
        { id: 'cus_3', created: gone },
      ],
    ],
  };
  await using account = await anAccount(db, files);
  for (const stream of ['charges', 'customers']) await account.sync(stream);
  for (const stream of ['charges', 'customers']) await syncAt(account, stream, NOW_SECONDS + 45 * DAY);
  expect(await account.rows('charges', 'id, disputed')).toEqual([
    { id: 'ch_1', disputed: true },
    { id: 'ch_2', disputed: false },
  ]);
  expect(await db.column('select id from raw.stripe_customers where deleted_at is null order by id')).toEqual(
    ['cus_1', 'cus_3'],
  );
});

test('streams of one account that are read at the same time do not disturb each other', async () => {
  await using db = await freshDb();
  const charges = many(NOW_SECONDS - DAY);
  const ledger = Array.from({ length: 900 }, (_, index) => ({
    ...{ id: `txn_${index}`, amount: 1_000, fee: 59, currency: 'usd', created: CREATED + index * 3_000 },
    source: `ch_${String(index).padStart(3, '0')}`,
  }));
  await using account = await anAccount(db, { charges, balance_transactions: ledger });
  const tallies = await Promise.all(
    ['charges', 'balance_transactions', 'customers'].map((one) => account.sync(one)),
  );
  for (const tally of tallies) expect(tally).not.toHaveProperty('incomplete');
  expect(await disputed(db)).toHaveLength(300);
  expect(await db.column('select trim_scale(sum(net))::text from raw.stripe_balance_transactions')).toEqual([
    '8469',
  ]);
  const tally = await account.sync('balance_transactions');
  expect(tally).not.toHaveProperty('incomplete');
});
