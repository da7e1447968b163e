/**
 * What a rollup costs does not depend on what PostgreSQL knows of its tables. Costs are rows visited; the
 * measure is the cheapest of three: without statistics, with those of a database of a thousandth of the size,
 * with those of today. Nor does what a day costs depend on how long the history is.
 */
import { beforeAll, expect, test } from 'vitest';
import { orderTables } from '#connectors/shopify/streams/order_tables.ts';
import { followIndexes } from '#sql/db/planner.ts';
import type { Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { markAllDays, markPartitions } from '#sql/dirty/marks.ts';
import { rollForward } from '#sql/dirty/roll_forward.ts';
import { noteChange } from '#sql/fx/changes.ts';
import { countMoved, noticeRatesOfBrand } from '#sql/fx/days.ts';
import { rollups } from '#sql/rollups/index.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { namedText, namingText, sumsText } from '../../connectors/kit/stored/sums.ts';
import { LEDGER } from '../../connectors/stripe/ledger/balance.ts';
import { SOURCES } from '../../connectors/stripe/ledger/sources.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { tablesReadBy } from '../support/db/read_tables.ts';
import { forgetStatistics, keepStatisticsAsTheyAre, visitsOf } from '../support/db/visits.ts';
import {
  addHistory,
  daysOf,
  GENERATION,
  PER_DAY,
  rollUp,
  type Seller,
  someSellers,
} from '../support/rows/history.ts';
import { anOrder, aProduct, loadOrders, loadProducts } from '../support/rows/raw_orders.ts';

const ORDERS = 2 * GENERATION;
const NOW = new Date('2024-07-01T00:00:00Z');
const DAYS = daysOf(30, 20);
/** Whatever is as small as this does not count. */
const SMALL = 2_000;
/** Without statistics this view costs four times as much; it reads rows of days and of the platform, and no fact. */
const COMPLETENESS_TIMES = 5;
const GROWN_MAX = 300;
/** A rebuild of days goes through all that is stored of these: no index dates it. Marks name what they reach. */
const REBUILT_BY_ALL = ['social_posts'];

type Work = (tx: Tx, seller: Seller) => Promise<unknown>;
const running =
  (rollup: Rollup, days: readonly string[]): Work =>
  (tx, { brandId, retailerId }) =>
    runRollups(tx, [rollup], {
      ...{ brandId, retailerId: rollup.of === 'brand' ? null : retailerId, days, now: NOW },
    });
/** What the rollups read of `raw`, with or without a view between. */
const facts = new Set<string>();
const rollupWorks = rollups.flatMap((rollup): [string, Work][] => {
  const run = running(rollup, DAYS);
  const after =
    (emptied: () => string): Work =>
    async (tx, seller) => {
      await tx.query(`truncate ${emptied()}`);
      await run(tx, seller);
    };
  return [
    [`${rollup.name} of days that are as they were`, run],
    [`${rollup.name} of days that had no row`, after(() => rollup.writes)],
    [`${rollup.name} of days that have no fact any more`, after(() => [...facts].join())],
  ];
});
const followed = async (tx: Tx, sql: string, values: unknown[]) => {
  await followIndexes(tx);
  await tx.query(sql, values);
};
const SINCE = new Date('2024-03-01T00:00:00Z');
const UNTIL = new Date('2024-06-01T00:00:00Z');
const machineWorks: [string, Work][] = [
  [
    'the balance of an account',
    (tx, { brandId, stripeId }) =>
      followed(tx, sumsText(LEDGER), [brandId, stripeId, SINCE, ['payments'], ['USD'], ['1']]),
  ],
  ...SOURCES.flatMap(({ kind, named, naming }): [string, Work][] => [
    [
      `${kind} of the ledger`,
      (tx, { brandId, stripeId }) =>
        followed(tx, namedText(named), [brandId, stripeId, SINCE, UNTIL, named.where[1], named.prefixes]),
    ],
    [
      `${kind} in the ledger`,
      (tx, { brandId, stripeId }) => followed(tx, namingText(naming), [brandId, stripeId, SINCE]),
    ],
  ]),
  [
    'days that states are carried to',
    (tx, { brandId, retailerId }) => rollForward(tx, { brandId, retailerId, now: NOW }),
  ],
  [
    'days that are claimed',
    async (tx, { brandId, retailerId }) => {
      await markPartitions(
        tx,
        { brandId, owners: [retailerId], timeZone: 'UTC', now: NOW },
        { marks: DAYS.map((day) => ({ subject: 'sales', day })) },
      );
      await claimMarks(tx, brandId, retailerId, { days: 60, objects: 60 });
    },
  ],
  [
    'days of new rates',
    async (tx, { brandId, retailerId }) => {
      await tx.query('insert into ops.fx_noticed values ($1, $2, 0)', [brandId, retailerId]);
      await noteChange(tx, RATES, NOW);
      await noticeRatesOfBrand(tx, brandId);
    },
  ],
  ['days that new rates would move', (tx, { brandId }) => countMoved(tx, brandId, RATES)],
  [
    'days of all that is stored',
    (tx, { brandId, shopId }) =>
      markAllDays(tx, {
        ...{ brandId, connectionId: shopId, timeZones: ['UTC'], tables: orderTables },
        ...{ cause: 'mapping', now: NOW },
      }),
  ],
  [
    'a page of orders that are stored in another form',
    (tx, seller) => loadOrders(tx, place(seller), ORDERS_AGAIN),
  ],
  ['a page of orders that are new', (tx, seller) => loadOrders(tx, place(seller), NEW_ORDERS)],
  [
    'a product with another cost',
    (tx, seller) =>
      loadProducts(tx, place(seller), [
        aProduct({ variant: '7', costs: [{ from: '2024-01-01T00:00:00Z', cost: '4' }] }),
      ]),
  ],
];
const RATES = { currencies: ['USD'], from: daysOf(40, 1)[0] ?? '', to: 'infinity' };
const place = ({ brandId, shopId }: Seller) => ({ brandId, connectionId: shopId });
const anOrderOf = (n: number) =>
  anOrder({
    id: String(n),
    customer: String(n % 700),
    currency: 'USD',
    lines: [{ id: `${n}1`, variant: String(n % 60) }],
    version: '2024-06-30T00:00:00Z',
  });
const ORDERS_AGAIN = Array.from({ length: 100 }, (_, n) => anOrderOf(n * 20));
const NEW_ORDERS = Array.from({ length: 100 }, (_, n) => anOrderOf(100_000 + n));

const viewed = (sql: string): [string, Work] => [
  sql,
  (tx, { brandId, retailerId }) =>
    tx.query(sql, [brandId, retailerId, DAYS[0], DAYS[4]].slice(0, sql.split('$').length - 1)),
];
const viewWorks = [
  ...['day = $3', 'day between $3 and $4'].flatMap((days) =>
    [
      'cash_and_sales',
      'sales',
      'product_sales',
      'country_sales',
      'payments',
      'mrr',
      'sales_consolidated',
    ].map((name) =>
      viewed(`select * from bi.daily_${name} where brand_id = $1 and retailer_id = $2 and ${days}`),
    ),
  ),
  viewed(
    'select * from bi.order_payments where brand_id = $1 and retailer_id = $2 and happened_at >= $3 and happened_at < $4',
  ),
  viewed(
    'select * from bi.daily_email where brand_id = $1 and $2::uuid is not null and day between $3 and $4',
  ),
  viewed(
    'select * from bi.daily_social where brand_id = $1 and $2::uuid is not null and day between $3 and $4',
  ),
  viewed('select * from bi.stock where brand_id = $1 and retailer_id = $2'),
  viewed('select * from bi.top_customers where brand_id = $1 and retailer_id = $2'),
  viewed('select * from bi.customer_cohorts where brand_id = $1 and retailer_id = $2'),
  viewed(
    'select * from bi.country_growth where brand_id = $1 and $2::uuid is not null and month between $3 and $4',
  ),
  viewed('select * from bi.completeness where brand_id = $1'),
  viewed('select * from bi.sync_status where brand_id = $1'),
  viewed('select * from bi.platform_metrics'),
];
const DAYS_HALF = GENERATION / PER_DAY;
const worksOfDay = (day: number) =>
  rollups.map((rollup): [string, Work] => [
    `${rollup.name} of one day`,
    async (tx, seller) => {
      await tx.query('set local enable_seqscan = off'); // small tables would be read as a whole
      await running(rollup, daysOf(day, 1))(tx, seller);
    },
  ]);
const works: [string, Work][] = [...rollupWorks, ...viewWorks, ...machineWorks];

const costs = new Map<string, Record<string, number>>();
const empty: string[] = [];
beforeAll(async () => {
  await using db = await freshDb();
  const sellers = await someSellers(db);
  const [seller] = sellers;
  await keepStatisticsAsTheyAre(db);
  for (const rollup of rollups)
    for (const table of await tablesReadBy(db, rollup)) if (table.startsWith('raw.')) facts.add(table);
  await addHistory(db, sellers, 0, ORDERS / 1_000);
  await rollUp(db, sellers, daysOf(0, 1), NOW);
  await db.query('analyze');
  await addHistory(db, sellers, ORDERS / 1_000, GENERATION);
  await rollUp(db, sellers, daysOf(0, DAYS_HALF + 10), NOW); // some is booked days later
  await costsOf(db, 'half', seller, worksOfDay(DAYS_HALF - 10));
  await addHistory(db, sellers, GENERATION, ORDERS);
  await rollUp(db, sellers, daysOf(DAYS_HALF, DAYS_HALF + 10), NOW);
  await costsOf(db, 'whole', seller, worksOfDay(2 * DAYS_HALF - 10));
  for (const table of [...facts, ...rollups.map(({ writes }) => writes)])
    if ((await db.column(`select from ${table} limit 1`)).length === 0) empty.push(table);
  await costsOf(db, 'stale', seller);
  await forgetStatistics(db);
  await costsOf(db, 'absent', seller);
  await db.query('analyze'); // no vacuum: what an index tells alone would count half
  await costsOf(db, 'fresh', seller);
}, 600_000);

async function costsOf(db: TestDb, when: string, seller: Seller, some = works) {
  for (const [name, work] of some) {
    const cost = await visitsOf(db, (tx) => work(tx, seller));
    costs.set(name, { ...costs.get(name), [when]: cost });
  }
}

// Of an empty table each plan is good.
test('test/support/rows/history.ts makes rows of each table that a rollup reads or writes', () => {
  expect(empty).toEqual([]);
});

test.each(works.map(([name]) => name))('%s', (name) => {
  const found = costs.get(name) ?? {};
  const times = name.includes('bi.completeness') ? COMPLETENESS_TIMES : 2;
  const least = Math.min(...Object.values(found));
  if (process.env.SHOW) console.log(name, found);
  expect(found).toSatisfy(
    () => Object.values(found).every((cost) => cost <= times * least + SMALL),
    JSON.stringify(found),
  );
});

// Nearly to the row: the history repeats itself, and the plans are made of the same statistics.
test.each(rollups.map(({ name }) => name).filter((name) => !REBUILT_BY_ALL.includes(name)))(
  '%s of one day costs the same after a history twice as long',
  (name) => {
    const { half = 0, whole = 0 } = costs.get(`${name} of one day`) ?? {};
    if (process.env.SHOW) console.log(name, { half, whole });
    expect(half).toBeGreaterThan(0);
    expect(whole).toBeLessThanOrEqual(half + GROWN_MAX);
  },
);
