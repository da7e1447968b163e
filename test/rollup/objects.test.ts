/** Marks of objects: what changes of one subscription makes the states of that one anew, and of no other. */
import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { objectOf } from '#sql/dirty/marks.ts';
import { loadItems } from '#sql/load/load.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { itemOf, type Seen, TABLES } from '../support/mrr/law.ts';
import { aConnection, aRetailer } from '../support/rows/factory.ts';
import { at } from '../support/rows/things.ts';
import { runTask } from '../support/run.ts';

const NOW = '2024-04-08T15:00:00Z';

type Account = { brandId: string; retailerId: string; connectionId: string };

/** Two brands with the same subscriptions: three that were created on one day, and one of another. */
async function twoAccounts(db: TestDb): Promise<[Account, Account]> {
  const one = async (): Promise<Account> => {
    const { id, ...account } = await aConnection(db, {
      provider: 'stripe',
      auth: 'key',
      secret: 'rk_test_x',
    });
    return { brandId: account.brandId, retailerId: account.retailerId, connectionId: id };
  };
  const both: [Account, Account] = [await one(), await one()];
  for (const account of both)
    await load(db, account, [...['s1', 's1a', 's1b'].map((id) => seen(id)), seen('s2')]);
  for (const account of both) await roll(db, account);
  return both;
}

const seen = (id: string, more: Partial<Seen> = {}): Seen => ({
  ...{ id, customer: `c${id}`, status: 'active', currency: 'GBP', paused: false },
  ...{ from: at('2024-03-20T00:00:00Z'), changedAt: at('2024-04-01T12:00:00Z') },
  items: [{ price: 'p1', monthly: '30.5', metered: false }],
  ...more,
});
const ended = (id: string, day: string) =>
  seen(id, { status: 'canceled', from: at(`${day}T12:00:00Z`), changedAt: at(`${day}T12:00:00Z`) });

/** Ids such as s1a are of the day of s1. */
function load(db: TestDb, { brandId, connectionId }: Account, versions: readonly Seen[]) {
  const items = versions.map((version) => {
    const { rows, ...item } = itemOf({ ...version, id: version.id.slice(0, 2) });
    const renamed = Object.entries(rows).map(([name, of]) => [
      name,
      of.map((row) => ({ ...row, id: version.id })),
    ]);
    return { ...item, id: version.id, rows: Object.fromEntries(renamed) };
  });
  const target = { brandId, connectionId, tables: TABLES, now: at(NOW) };
  return db.transaction((tx) => loadItems(tx, target, items));
}

function roll(db: TestDb, { brandId, retailerId }: Account, range: object = {}) {
  return runTask(rollup, { brandId, retailerId, now: NOW, ...range }, db);
}

/** Runs what the marks ask for, and says which partitions each rollup was given. */
async function ranOver(db: TestDb, { brandId, retailerId }: Account) {
  const ran: Record<string, string[]> = {};
  await db.transaction(async (tx) => {
    const watched: Tx = Object.create(tx, {
      query: {
        value: (text: string, values: unknown[]) => {
          const found = rollups.find(({ sql }) => sql === text);
          if (found) ran[found.name] = values[2] as string[];
          return tx.query(text, values);
        },
      },
    });
    const marks = await claimMarks(tx, brandId, retailerId, { days: 60, objects: 60 });
    await runMarked(watched, rollups, { brandId, retailerId, marks, now: at(NOW) });
  });
  return ran;
}

const states = (db: TestDb, { brandId }: Account) =>
  db.rows(
    `select subscription_id as id, valid_until < 'infinity' as ended, xmin::text as written
     from agg.subscription_states where brand_id = $1 order by 1`,
    [brandId],
  );

test('a change of one subscription makes its states anew and the days that they change', async () => {
  await using db = await freshDb();
  const [one, other] = await twoAccounts(db);
  const before = await states(db, one);
  const ofOther = await states(db, other);
  await load(db, one, [ended('s1a', '2024-04-05')]);
  expect(await ranOver(db, one)).toEqual({
    subscription_states: [objectOf(one.connectionId, 's1a')],
    daily_mrr: ['2024-04-05', '2024-04-06', '2024-04-07', '2024-04-08'],
  });
  const after = await states(db, one);
  expect(after.map(({ id, ended }) => [id, ended])).toEqual([
    ...[['s1', false], ['s1a', true], ['s1b', false], ['s2', false]],
  ]); // biome-ignore format: a table
  const others = (rows: typeof before) => rows.filter(({ id }) => id !== 's1a');
  expect(others(after)).toEqual(others(before));
  expect(await states(db, other)).toEqual(ofOther);
});

test('a range makes the subscriptions of its days anew, those that are no more too', async () => {
  await using db = await freshDb();
  const [one, other] = await twoAccounts(db);
  await db.query("delete from raw.stripe_subscriptions where id = 's2' and brand_id = $1", [one.brandId]);
  await db.query("update agg.subscription_states set monthly = 7 where subscription_id = 's1b'");
  expect(await roll(db, one, { from: '2024-03-20', to: '2024-04-08' })).toMatchObject({ objects: 4 });
  const kept = 'select subscription_id, monthly from agg.subscription_states where brand_id = $1 order by 1';
  expect(await db.rows(kept, [one.brandId])).toEqual(
    ['s1', 's1a', 's1b'].map((id) => ({ subscription_id: id, monthly: '30.5' })),
  );
  expect((await db.rows(kept, [other.brandId])).map(({ monthly }) => monthly)).toContain('7');
});

test('all objects go with an account that gets another retailer', async () => {
  await using db = await freshDb();
  const [one, other] = await twoAccounts(db);
  const { id: retailerId } = await aRetailer(db, { brandId: one.brandId });
  const { brandId, connectionId } = one;
  await db.transaction((tx) =>
    moveConnection(tx, { brandId, connectionId, retailerId, tables: TABLES, now: at(NOW) }),
  );
  for (const owner of [one.retailerId, retailerId]) await roll(db, { ...one, retailerId: owner });
  const owners = 'select distinct retailer_id from agg.subscription_states where brand_id = $1';
  expect(await db.column(owners, [brandId])).toEqual([retailerId]);
  expect(await db.column(owners, [other.brandId])).toEqual([other.retailerId]);
});

test('while more objects wait than are taken at once, the days that they hand on wait too', async () => {
  await using db = await freshDb();
  const [one] = await twoAccounts(db);
  const { brandId, retailerId } = one;
  await load(
    db,
    one,
    ['s1', 's1a', 's1b'].map((id) => ended(id, '2024-04-07')),
  );
  await db.query(
    `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
     select $1, $2, unnest(array['sales', 'subscription_states']), '2024-04-07', now()`,
    [brandId, retailerId],
  );
  const claim = () =>
    db.transaction(async (tx) => {
      const marks = await claimMarks(
        tx,
        brandId,
        retailerId,
        { days: 9, objects: 2 },
        {
          late: { days: ['subscription_states'] },
        },
      );
      return marks.map(({ subject, day, object }) => `${subject} ${day ?? object?.split(' ')[1]}`);
    });
  expect(await claim()).toEqual(['subscriptions s1', 'subscriptions s1a', 'sales 2024-04-07']);
  expect(await claim()).toEqual(['subscriptions s1b', 'subscription_states 2024-04-07']);
  expect(await claim()).toEqual([]);
});

test('no day of a brand is final while one of its objects waits', async () => {
  await using db = await freshDb();
  const [one, other] = await twoAccounts(db);
  await load(db, one, [ended('s2', '2024-04-07')]);
  for (const sql of [
    `insert into ops.positions (brand_id, connection_id, stream, position, state, complete_to, updated_at)
     select c.brand_id, c.id, s.stream, '{}', 'ok', now(), now() from app.connections c join ops.streams s using (provider)`,
    'update ops.days_carried set carried_to = now()',
  ])
    await db.query(sql);
  const causes = `select distinct cause from bi.completeness where brand_id = $1 and source = 'mrr' and day < now()::date - 1`;
  expect(await db.column(causes, [other.brandId])).toEqual([null]);
  expect(await db.column(causes, [one.brandId])).toEqual(['figures of the day wait to be computed again']);
});
