/**
 * The law of MRR: whatever is seen of subscriptions in whatever order, with whatever is rolled up in between
 * and as of whatever instant, every day is what a plain look at each of them says, rows add up to the digit,
 * and a rebuild from nothing makes the same. Two brands use the same ids, and one has two accounts.
 */
import { expect } from 'vitest';
import { subscriptionVersions } from '#connectors/stripe/streams/subscription_versions.ts';
import { subscriptionItems, subscriptions } from '#connectors/stripe/streams/subscriptions.ts';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { rollForward } from '#sql/dirty/roll_forward.ts';
import { loadItems } from '#sql/load/load.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked, runRollups } from '#sql/rollups/run.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import type { TestDb } from '../db/db.ts';
import { assertExplained } from '../explain/law.ts';
import { aBrand, aConnection, aRetailer } from '../rows/factory.ts';
import { mrrModel, type Part, unitsOf, type Version } from './model.ts';
import { assertAddsUp, type MrrRow } from './mrr.ts';

const LAST = '2024-04-08T15:00:00Z';
const OURS = rollups.filter(({ name }) => name === 'subscription_states' || name === 'daily_mrr');
const DAYS = Array.from({ length: 24 }, (_, index) =>
  new Date(Date.parse('2024-03-20') + index * 86_400_000).toISOString().slice(0, 10),
);
export const TABLES = [subscriptions, subscriptionItems, subscriptionVersions];

const EMPTIED = [...TABLES.map(({ name }) => name), 'agg.daily_mrr', 'agg.subscription_states',
  'ops.marks', 'ops.days_carried'].join(); // biome-ignore format: a list of names

/** What is seen of a subscription in one reading. */
export type Seen = {
  id: string;
  customer: string;
  from: Date;
  changedAt: Date;
  status: string;
  currency: string;
  paused: boolean;
  items: Part[];
};
export type Step =
  | { do: 'load'; account: number; versions: Seen[] }
  | { do: 'roll'; now: Date; days: number }
  | { do: 'zone'; zone: string }
  | { do: 'move'; retailer: number };
type World = {
  brands: string[];
  retailers: [string, string][];
  accounts: { brandId: string; connectionId: string }[];
};

/** The first brand has two accounts and two retailers. */
async function aWorld(db: TestDb): Promise<World> {
  const one = await aBrand(db);
  const other = await aBrand(db, { timeZone: 'America/New_York' });
  const first = await aRetailer(db, { brandId: one.id });
  const second = await aRetailer(db, { brandId: one.id });
  const third = await aRetailer(db, { brandId: other.id });
  const of = (brandId: string, retailerId: string) =>
    aConnection(db, { brandId, retailerId, provider: 'stripe', auth: 'key', secret: 'rk_test_x' });
  const connections = [await of(one.id, first.id), await of(one.id, first.id), await of(other.id, third.id)];
  return {
    brands: [one.id, other.id],
    retailers: [
      [one.id, first.id],
      [one.id, second.id],
      [other.id, third.id],
    ],
    accounts: connections.map(({ brandId, id }) => ({ brandId, connectionId: id })),
  };
}

/** A subscription begins on a day that its id says, which lies before or amid what is seen of it. */
export function itemOf({ id, customer, from, changedAt, status, currency, paused, items }: Seen) {
  const created = new Date(Date.parse('2024-03-26T22:00:00Z') + Number(id.slice(1)) * 86_400_000);
  const validFrom = from < created ? created : from;
  const row = {
    ...{ id, status, currency, customer_id: customer, created_at: created, start_date: created },
    ...{ cancel_at_period_end: false, is_paused: paused, payload: { changed: changedAt.toISOString() } },
  };
  const parts = items.map((one, index) => ({
    ...one,
    item: `${id}${index}`,
    quantity: '1',
    undiscounted: one.cause === 'tax_unknown' ? '12' : one.monthly,
    ...(one.cause === 'tax_unknown' && { share: null }),
  }));
  const seen = {
    id,
    valid_from: validFrom,
    status,
    currency,
    customer_id: customer,
    is_paused: paused,
    items: parts,
  };
  const rows = {
    [subscriptions.name]: [row],
    [subscriptionItems.name]: [],
    [subscriptionVersions.name]: [seen],
  };
  return { id, changedAt, rows };
}

async function take(tx: Tx, { brands, retailers, accounts }: World, step: Step): Promise<void> {
  const now = new Date(LAST);
  const [brandId = ''] = brands;
  if (step.do === 'load') {
    const place = accounts[step.account];
    if (place) await loadItems(tx, { ...place, tables: TABLES, now }, step.versions.map(itemOf));
  } else if (step.do === 'zone') {
    await changeTimeZone(tx, step.zone, { brandId, tables: TABLES, now, actor: 'test' });
  } else if (step.do === 'move') {
    const retailerId = retailers[step.retailer]?.[1] ?? '';
    const { connectionId = '' } = accounts[0] ?? {};
    await moveConnection(tx, { brandId, connectionId, retailerId, tables: TABLES, now, actor: 'test' });
  } else {
    for (const [brand, retailer] of retailers) await rollSome(tx, brand, retailer, step.now, step.days);
  }
}

async function rollSome(
  tx: Tx,
  brandId: string,
  retailerId: string,
  now: Date,
  limit: number,
): Promise<number> {
  await rollForward(tx, { brandId, retailerId, now });
  const marks = await claimMarks(tx, brandId, retailerId, { days: limit, objects: limit });
  await runMarked(tx, OURS, { brandId, retailerId, marks, now });
  return marks.length;
}

const rowsOf = (db: Pick<TestDb, 'rows'>, table: string) =>
  db.rows<MrrRow & { retailer_id: string }>(
    `select row from ${table} a cross join lateral (select to_jsonb(a) - 'computed_at' as row) r
     order by row::text collate "C"`,
  );

async function modelOf(db: TestDb, { brands }: World) {
  const all = new Map<string, ReturnType<typeof mrrModel> extends Map<string, infer R> ? R : never>();
  for (const brandId of brands) {
    const [zone] = await db.column('select time_zone from app.brands where id = $1', [brandId]);
    const versions = await db.rows<Version>(
      `select c.retailer_id as retailer, v.connection_id as connection, v.id, v.customer_id as customer, v.status,
              v.currency, v.is_paused as paused, v.items,
              (extract(epoch from s.created_at) * 1000)::bigint as created_ms,
              (extract(epoch from v.valid_from) * 1000)::bigint as valid_from_ms
       from raw.stripe_subscription_versions v
       join raw.stripe_subscriptions s using (brand_id, connection_id, id)
       join app.connections c on c.brand_id = v.brand_id and c.id = v.connection_id where v.brand_id = $1`,
      [brandId],
    );
    for (const [key, row] of mrrModel(versions, String(zone), DAYS, Date.parse(LAST))) all.set(key, row);
  }
  return all;
}

/** Amounts in the smallest unit of the currency. */
function unitsIn(amount: string, currency: string): bigint {
  const [whole = '', places = ''] = amount.split('.');
  return unitsOf(BigInt(whole + places.padEnd(18, '0')), currency);
}

async function assertTrue(db: TestDb, world: World): Promise<void> {
  const rows = await db.rows<MrrRow & { retailer_id: string }>('select * from agg.daily_mrr order by day');
  const model = await modelOf(db, world);
  const found = rows.map((row) => `${row.retailer_id} ${row.day} ${row.currency} ${row.plan}`);
  expect(found.toSorted()).toEqual([...model.keys()].toSorted());
  for (const row of rows) {
    const wanted = model.get(`${row.retailer_id} ${row.day} ${row.currency} ${row.plan}`);
    if (!wanted) throw new Error('no such row');
    expect({
      ...{
        active: row.active_subscriptions,
        trialing: row.trialing,
        paused: row.paused,
        churned: row.churned_subscriptions,
      },
      ...{ mrr: row.mrr === null ? null : unitsIn(row.mrr, row.currency), cause: row.mrr_cause },
      reconstructed: row.is_reconstructed,
    }).toEqual({
      ...{ active: wanted.active, trialing: wanted.trialing, paused: wanted.paused, churned: wanted.churned },
      ...{ mrr: wanted.mrr, cause: wanted.cause, reconstructed: wanted.reconstructed },
    });
    for (const [kind, amount] of Object.entries(wanted.moves)) {
      const found = row[`${kind}_mrr` as keyof MrrRow];
      expect(found === null, `${kind} on ${row.day} is unknown`).toBe(wanted.cause !== null);
      if (found === null) continue;
      const units = unitsIn(String(found), row.currency);
      // What rounding leaves goes to a movement that there is, and is a few units at most.
      if (amount === 0n) expect(units, `${kind} on ${row.day}`).toBe(0n);
      expect(Number(units - unitsOf(amount, row.currency)), kind).toBeLessThanOrEqual(3);
      expect(Number(units - unitsOf(amount, row.currency)), kind).toBeGreaterThanOrEqual(-3);
    }
  }
  for (const [, retailer] of world.retailers)
    assertAddsUp(rows.filter((row) => row.retailer_id === retailer));
}

/** Takes the steps in a world of their own, rolls up what is left, and holds all rows against the law. */
export async function assertLawOfMrr(db: TestDb, steps: readonly Step[]): Promise<void> {
  await db.query(`truncate ${EMPTIED}`);
  const world = await aWorld(db);
  for (const one of steps) await db.transaction((tx) => take(tx, world, one));
  const now = new Date(LAST);
  for (const [brandId, retailerId] of world.retailers) {
    let days = 1;
    while (days > 0) days = await db.transaction((tx) => rollSome(tx, brandId, retailerId, now, 3));
  }
  await assertTrue(db, world);
  for (const brandId of world.brands) await assertExplained(db, brandId, { rollups: OURS, days: DAYS, now });

  const made = [await rowsOf(db, 'agg.daily_mrr'), await rowsOf(db, 'agg.subscription_states')];
  const whole = (brandId: string, retailerId: string) =>
    db.transaction((tx) => runRollups(tx, OURS, { brandId, retailerId, days: DAYS, now }));
  for (const [brand, retailer] of world.retailers)
    expect(await whole(brand, retailer)).toMatchObject({ written: 0, deleted: 0 });
  await db.query('truncate agg.daily_mrr, agg.subscription_states');
  for (const [brand, retailer] of world.retailers) await whole(brand, retailer);
  expect([await rowsOf(db, 'agg.daily_mrr'), await rowsOf(db, 'agg.subscription_states')]).toEqual(made);
}
