import { expect, test } from 'vitest';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { post } from '../support/providers/sandbox.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const STREAMS = ['charges', 'customers', 'balance_transactions'];
const COUNT = 270;
const DAY = 86_400;
/** After the first load each fifth charge changes. */
const CHANGED = NOW_SECONDS + 600;
const LATER = new Date((CHANGED + 3_600) * 1000).toISOString();

const indexes = Array.from({ length: COUNT }, (_, index) => index);
const created = (index: number) => NOW_SECONDS - 10 * DAY + Math.floor(index / 130) * 40_000;
const FILES = {
  charges: indexes.flatMap((index) => {
    const whole = charge(`ch_${index}`, { created: created(index) });
    return index % 5 === 0 ? [whole, { ...whole, disputed: true, _at: CHANGED }] : [whole];
  }),
  customers: indexes.map((index) => ({ id: `cus_${index}`, created: created(index) })),
  balance_transactions: indexes.map((index) => ({
    ...{ id: `txn_${index}`, amount: 1_000, fee: index, currency: 'usd', created: created(index) },
    source: `ch_${index}`,
  })),
};

type Account = Awaited<ReturnType<typeof anAccountOf>>;

async function anAccount(db: TestDb): Promise<Account> {
  const account = await anAccountOf(db, FILES);
  await db.transaction((tx) => limitRequests(tx, account, 2_000));
  return account;
}

async function goOn({ sandbox }: Account): Promise<void> {
  await post(sandbox, 'load', { dir: sandbox.dir, now: LATER });
}

async function stored(db: TestDb): Promise<unknown[]> {
  const tables = STREAMS.map(
    (table) =>
      `select '${table}' as kind, id, to_jsonb(t) - '{brand_id,connection_id,seen_at}'::text[] as row from raw.stripe_${table} t`,
  );
  const rows = await db.rows(`${tables.join(' union all ')} order by kind, id`);
  const states = await db.rows('select stream, state, cause, position from ops.positions order by stream');
  const checks = await db.rows(
    'select distinct stream, check_name, expected, found, ok from ops.completeness order by 1, 2',
  );
  return [...rows, ...states, ...checks];
}

async function undisturbed(): Promise<unknown[]> {
  await using db = await freshDb();
  await using account = await anAccount(db);
  for (const stream of STREAMS) await account.sync(stream);
  await goOn(account);
  for (const stream of STREAMS) await account.sync(stream, { now: LATER });
  const rows = await stored(db);
  expect(rows.length).toBeGreaterThan(3 * COUNT + STREAMS.length);
  return rows;
}

const on = 'stripe';
const often = { count: 0, probability: 0.1 };
const STORMS: [string, object[]][] = [
  ['limits, with a reason and without', [
    { kind: 'status', on, status: 429, reason: 'endpoint-rate', count: 2 },
    { kind: 'status', on, status: 429, after: 4, count: 2 },
    { kind: 'status', on, status: 429, code: 'lock_timeout', after: 7, count: 2 },
  ]],
  ['failures of the provider', [500, 502, 503, 504, 409].map((status, index) => {
    return { kind: 'status', on, status, after: 3 * index };
  })],
  ['broken connections', [{ kind: 'reset', on, ...often }, { kind: 'cut', on, bytes: 700, ...often }]],
  ['pages that come again or shuffled', [
    { kind: 'repeat_page', account: 'acct_acme', ...often },
    { kind: 'reorder_page', account: 'acct_acme', ...often },
    { kind: 'expired_cursor', account: 'acct_acme', after: 2, count: 3 },
  ]],
]; // biome-ignore format: a storm a paragraph

test('whatever goes wrong on the way, the end is the same', { timeout: 600_000 }, async () => {
  const expected = await undisturbed();
  for (const [name, faults] of STORMS) {
    await using db = await freshDb();
    await using account = await anAccount(db);
    await account.faults(...faults);
    for (const stream of STREAMS) expect(await account.sync(stream), name).toMatchObject({ rejected: 0 });
    await goOn(account);
    await account.faults(...faults);
    for (const stream of STREAMS) await account.sync(stream, { now: LATER });
    expect(await stored(db), name).toEqual(expected);
  }
});

test('a ledger from which rows are missing is not green, and heals once they are there', async () => {
  await using db = await freshDb();
  await using account = await anAccount(db);
  await account.faults({ kind: 'late_rows', ids: ['txn_7', 'txn_200'], seconds: 3_600 });
  const state = () => db.rows("select state, cause from ops.positions where stream like '%balance%'");
  expect(await account.sync('balance_transactions')).toMatchObject({
    incomplete: expect.stringContaining('USD'),
  });
  expect(await state()).toMatchObject([{ state: 'partial', cause: expect.stringContaining('balance') }]);
  await account.faults();
  expect(await account.sync('balance_transactions')).not.toHaveProperty('incomplete');
  expect(await state()).toEqual([{ state: 'ok', cause: null }]);
  expect(await account.rows('balance_transactions', 'id')).toHaveLength(COUNT);
});

// The last two weeks are listed at each run; for what is older the run stays red until everything is read.
test('a row of the ledger that is missing for longer keeps the stream red until a full reading', async () => {
  await using db = await freshDb();
  const old = {
    id: 'txn_old',
    type: 'adjustment',
    amount: 500,
    currency: 'usd',
    created: NOW_SECONDS - 20 * DAY,
  };
  await using account = await anAccountOf(db, { balance_transactions: [old] });
  await account.faults({ kind: 'late_rows', ids: ['txn_old'], seconds: 3_600 });
  const sync = (payload = {}) => account.sync('balance_transactions', payload);
  expect(await sync()).toHaveProperty('incomplete');
  await account.faults();
  expect(await sync()).toHaveProperty('incomplete');
  expect(await sync({ full: true })).not.toHaveProperty('incomplete');
  expect(await sync()).not.toHaveProperty('incomplete');
});

test('a key that is revoked in the midst holds the connection with what was read, and a good one goes on', async () => {
  await using db = await freshDb();
  await using account = await anAccount(db);
  await account.faults({ kind: 'revoked_key', account: 'acct_acme', after: 3, count: 0 });
  const refusal = { code: 'NS_CREDENTIALS_REJECTED', verdict: 'hold' };
  await expect(account.sync('charges')).rejects.toMatchObject(refusal);
  const some = (await account.rows('charges', 'id')).length;
  expect(some).toBeGreaterThan(0);
  expect(some).toBeLessThan(COUNT);
  expect(await db.rows('select state from ops.positions')).toEqual([{ state: 'failing' }]);
  expect(await db.column('select held_at is not null from app.connections')).toEqual([true]);
  await account.faults();
  await db.query('update app.connections set held_at = null, held_reason = null');
  await account.sync('charges');
  const [first, ...others] = await account.asked();
  expect(others).not.toContain(first); // it went on, it did not begin anew
  expect(await account.rows('charges', 'id')).toHaveLength(COUNT);
});
