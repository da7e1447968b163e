/**
 * The laws of rollups for each kind of partition: a retailer and day, the brand and day, the brand and week, an object
 * of the brand and of a retailer. Whatever comes in whatever order, with crashes and beside one another, the figures
 * end as if they were made from nothing, no mark is lost, and a further run writes no row. Two brands use equal ids.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import type { Owner } from '#sql/dirty/marks.ts';
import { noticeRatesOfBrand } from '#sql/fx/days.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Item } from '#sql/load/table.ts';
import { inOrder } from '#sql/rollups/rollup.ts';
import { runMarked, runRollups } from '#sql/rollups/run.ts';
import { changeReportingCurrency, changeTimeZone } from '#sql/tenants/brands.ts';
import { mapPart, unmapPart } from '#sql/tenants/connection_parts.ts';
import { addConnection } from '#sql/tenants/connections.ts';
import { keyring } from '../support/acorn/bench.ts';
import { KEY } from '../support/acorn/fake.ts';
import { acornDailySpend } from '../support/acorn/rollups/acorn_daily_spend.ts';
import { acornPartitions, PARTITION_TABLES } from '../support/acorn/rollups/partitions.ts';
import { acornTables, opensStream, spendStream } from '../support/acorn/streams.ts';
import { migrateAcorn, migrateFigures } from '../support/acorn/tables.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf } from '../support/db/rebuild.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { daysOf } from '../support/providers/fx.ts';
import { aBrand, aRetailer } from '../support/rows/factory.ts';

const RUNS = inForm(6, 20);
const rollups = inOrder([acornDailySpend, ...acornPartitions]);
const now = new Date('2024-12-01T00:00:00Z');
const DAYS = Array.from({ length: 24 }, (_, n) =>
  new Date(Date.parse('2024-03-24') + n * 86_400_000).toISOString().slice(0, 10),
);

// Around the change of the clock in London, and around a boundary of weeks.
const day = fc.integer({ min: 5, max: 19 }).map((n) => DAYS[n] ?? '');
const instant = fc.constantFrom(
  ...['2024-03-30T23:30:00Z', '2024-03-31T00:30:00Z', '2024-03-31T23:30:00Z', '2024-04-01T03:30:00Z'],
);
const campaign = fc.constantFrom('c1', 'c2', 'c3', 'c4');
const account = fc.constantFrom(0, 0, 1, 2);
const amount = fc.integer({ min: -500, max: 9_000 }).map((n) => (n / 100).toFixed(2));
const change = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('spend' as const),
      account,
      campaign,
      day,
      amount,
      second: fc.nat(59),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('open' as const),
      account,
      campaign,
      id: fc.nat(20),
      at: instant,
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      type: fc.constant('roll' as const),
      owner: fc.constantFrom(0, 1, 2),
      limit: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('map' as const),
      account,
      campaign,
      retailer: fc.constantFrom(0, 1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('unmap' as const), account, campaign }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('rates' as const),
      day,
      rate: fc.integer({ min: 105, max: 119 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('zone' as const),
      zone: fc.constantFrom('Europe/London', 'America/New_York', 'Asia/Kolkata'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('report' as const),
      currency: fc.constantFrom('GBP', 'USD', 'EUR'),
    }),
  },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const step = fc.record({
  change,
  how: fc.constantFrom('commit', 'commit', 'commit', 'commit', 'crash', 'beside'),
});

class Crash extends Error {}

type Account = { brandId: string; connectionId: string; owners: Owner[] };

/** A brand with two accounts and two retailers, and another brand with the same ids at the provider. */
async function aWorld(db: Db): Promise<[Account, Account, Account]> {
  const brand = async () => {
    const { id: brandId } = await aBrand(db);
    const retailers = [(await aRetailer(db, { brandId })).id, (await aRetailer(db, { brandId })).id];
    return { brandId, owners: [...retailers, null] };
  };
  const connect = async (of: { brandId: string; owners: Owner[] }, name: string) => {
    const wanted = {
      name,
      provider: 'acorn',
      account: name,
      auth: 'key',
      secret: KEY,
      baseUrl: 'http://127.0.0.1:9',
    };
    const { id } = await db.transaction((tx) =>
      addConnection(tx, keyring, { ...wanted, brandId: of.brandId }),
    );
    return { ...of, connectionId: id };
  };
  const [one, other] = [await brand(), await brand()];
  return [await connect(one, 'first'), await connect(one, 'second'), await connect(other, 'first')];
}

type World = readonly [Account, Account, Account];

async function happen(db: Db, world: World, { change, how }: { change: Change; how: string }): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await apply(tx, world, change);
      if (how === 'crash') throw new Crash();
    });
  } catch (error) {
    const isRefused = error instanceof Error && 'code' in error && error.code === 'NS_PART_NOT_FOUND';
    if (!(error instanceof Crash) && !isRefused) throw error;
  }
}

async function apply(tx: Tx, world: World, change: Change): Promise<unknown> {
  const [first] = world;
  const { brandId, owners } = first;
  const of = 'account' in change ? (world[change.account] ?? first) : first;
  const target = { brandId: of.brandId, connectionId: of.connectionId, now };
  const part = { ...target, tables: acornTables, actor: 'test' };
  const brandChange = { brandId, tables: acornTables, now, rollups };
  switch (change.type) {
    case 'spend': {
      const changedAt = new Date(now.getTime() + change.second * 1_000);
      const row = { campaign_id: change.campaign, day: change.day, amount: change.amount, payload: {} };
      return load(tx, target, spendStream.tables, {
        id: change.campaign,
        changedAt,
        rows: { 'raw.acorn_spend': [row] },
      });
    }
    case 'open': {
      const id = `o${change.id}`;
      const row = { id, campaign_id: change.campaign, opened_at: new Date(change.at), payload: {} };
      return load(tx, target, opensStream.tables, { id, changedAt: now, rows: { 'raw.acorn_opens': [row] } });
    }
    case 'roll':
      return rollSome(tx, brandId, owners[change.owner] ?? null, change.limit);
    case 'map': {
      const retailerId = of.owners[change.retailer] ?? '';
      return mapPart(tx, { ...part, part: change.campaign, retailerId, takesAway: true });
    }
    case 'unmap':
      return unmapPart(tx, { ...part, part: change.campaign });
    case 'rates': {
      const days = daysOf([['USD', change.day, (change.rate / 100).toFixed(2)]]);
      await storeRates(tx, { days, source: 'test', now, actor: 'test' });
      return noticeRatesOfBrand(tx, brandId, rollups);
    }
    case 'zone':
      return changeTimeZone(tx, change.zone, brandChange);
    case 'report':
      return changeReportingCurrency(tx, change.currency, brandChange);
  }
}

function load(
  tx: Tx,
  target: { brandId: string; connectionId: string; now: Date },
  tables: typeof spendStream.tables,
  item: Item,
) {
  return loadItems(tx, { ...target, tables }, [item]);
}

async function rollSome(tx: Tx, brandId: string, retailerId: Owner, limit: number): Promise<number> {
  const limits = { days: limit, objects: limit };
  const marks = await claimMarks(tx, brandId, retailerId, limits, { rollups });
  await runMarked(tx, rollups, { brandId, retailerId, marks, now });
  return marks.length;
}

/** Retailers first: what they change is marked for the brand. */
async function rollEverything(db: Db, { brandId, owners }: Account): Promise<void> {
  for (const owner of owners) {
    let marks = 1;
    while (marks > 0) marks = await db.transaction((tx) => rollSome(tx, brandId, owner, 3));
  }
}

async function rebuild(tx: Tx, { brandId, owners }: Account) {
  const sum = { written: 0, deleted: 0 };
  for (const retailerId of owners) {
    const { written, deleted } = await runRollups(tx, rollups, { brandId, retailerId, days: DAYS, now });
    sum.written += written;
    sum.deleted += deleted;
  }
  return sum;
}

class PutBack extends Error {}

async function rebuiltFromNothing(db: Db, account: Account) {
  let rebuilt = {};
  await db
    .transaction(async (tx) => {
      for (const { writes } of rollups)
        await tx.query(`delete from ${writes} where brand_id = $1`, [account.brandId]);
      await rebuild(tx, account);
      rebuilt = await aggregatesOf(tx, account.brandId, rollups);
      throw new PutBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof PutBack)) throw error;
    });
  return rebuilt;
}

test('figures of each kind of partition equal a rebuild after any sequence of changes', async () => {
  await using db = await freshDb();
  await migrateAcorn(db);
  await migrateFigures(db);
  await db.query(PARTITION_TABLES);
  await db.query(
    "insert into app.fx_rates values ('GBP', '2024-03-29', 0.855, 'ecb', now()), ('USD', '2024-03-29', 1.08, 'ecb', now())",
  );
  let rows = 0;
  await assertHolds(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 45, size: 'max' }), async (steps) => {
      const world = await aWorld(db);
      const beside: Promise<unknown>[] = [];
      for (const one of steps) {
        const happening = happen(db, world, one);
        if (one.how === 'beside') beside.push(happening);
        else await happening;
      }
      await Promise.all(beside);
      for (const account of [world[0], world[2]]) {
        await rollEverything(db, account);
        const made = await aggregatesOf(db, account.brandId, rollups);
        expect(made).toEqual(await rebuiltFromNothing(db, account));
        expect(await db.transaction((tx) => rebuild(tx, account))).toEqual({ written: 0, deleted: 0 });
        rows += Object.values(made).flat().length;
      }
    }),
    RUNS,
    { endOnFailure: true }, // a run takes seconds: the first that fails is told as it is
  );
  expect(rows).toBeGreaterThan(0);
});
