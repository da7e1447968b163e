/** An operator sees what a figure is made of, and whether it adds up. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeSpend } from '#sql/campaigns/spend.ts';
import { givenRollups, rollups } from '#sql/rollups/index.ts';
import { aClick, aSeller, type Seller } from '../support/campaigns.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertExplained } from '../support/explain/law.ts';

type Part = { part: string; id: string; adds: Record<string, string>; next: string | null; version: unknown };
type Shown = {
  key: Record<string, string>;
  adds_up: boolean;
  sums: { column: string; parts: string | null; cell: string | null; agrees: boolean }[];
  parts: Part[];
  rest: { rows: number; adds: Record<string, string> } | null;
  rates: { rates: unknown[]; reporting: Record<string, string> } | null;
  waiting: { subject: string }[];
};

let db: TestDb;
let seller: Seller;
const DAY = '2026-03-29'; // on which the clock changes in London

beforeAll(async () => {
  db = await freshDb();
  await db.query(
    `insert into app.fx_rates (currency, day, units_per_euro, source, seen_at)
     values ('GBP', '2026-03-27', 0.8, 'ecb', now())`,
  );
  seller = await aSeller(db);
  const other = await aSeller(db); // with the same ids
  for (const [one, factor] of [
    [seller, 1],
    [other, 7],
  ] as const) {
    const sale = (total: number) => [{ total: `${total * factor}.00`, quantity: 1 }];
    await one.orders([
      { id: '1', at: '2026-03-28T23:59:59Z', sales: sale(50) }, // the day before
      {
        id: '2',
        at: '2026-03-29T00:00:00Z',
        sales: sale(100),
        customer: '5',
        person: 'a@x.example',
        utm: 'spring',
      },
      { id: '3', at: '2026-03-29T22:59:59Z', sales: sale(20), customer: '5' },
      { id: '4', at: '2026-03-29T23:00:00Z', sales: sale(30) }, // the day after
      { id: '5', at: '2026-03-29T10:00:00Z', sales: sale(9), currency: 'EUR' },
      { id: '6', at: '2026-03-29T10:00:00Z', sales: sale(1_000), test: true },
    ]);
    await one.orders([
      {
        ...{ id: '1', at: '2026-03-28T23:59:59Z', version: '2026-03-30T00:00:00Z' },
        sales: [
          ...sale(50),
          {
            reason: 'REFUND',
            action: 'RETURN',
            at: '2026-03-29T12:00:00Z',
            quantity: -1,
            total: `-${50 * factor}.00`,
          },
        ],
        payments: [{ id: 'r1', at: '2026-03-29T12:00:00Z', amount: `${50 * factor}.00`, kind: 'REFUND' }],
      },
    ]);
    const campaign = await one.campaign('spring', [
      ['utm_campaign', 'spring'],
      ['email_category', 'news'],
    ]);
    await db.transaction((tx) =>
      storeSpend(tx, { brandId: one.brandId, target: 'test', actor: 'test' }, [
        { campaignId: campaign.id, day: DAY, currency: 'GBP', source: 'ads', amount: '40' },
      ]),
    );
    await one.mailed([aClick('c1', 'a@x.example', '2026-03-28T20:00:00Z')]);
    await one.roll();
    await one.roll();
  }
});
afterAll(() => db[Symbol.asyncDispose]());

const run = (...words: string[]) => nightshift(['explain', ...words], { env: { DATABASE_URL: db.url } });
const ofSales = (...more: string[]) =>
  run('daily_sales', '--brand', seller.brand.slug, '--retailer', 'uk', '--day', DAY, ...more);
const shown = async (...words: string[]) => {
  const ran = await run(...words, '--json');
  return { ...ran, figures: ran.json() as Shown[] };
};

test('every rollup says what its figures are made of, or why they are no sums', () => {
  for (const { name, explains, measures } of [...rollups, ...givenRollups]) {
    expect([name, explains]).not.toEqual([name, undefined]);
    if (typeof explains !== 'object') continue;
    const said = [
      ...explains.parts.flatMap(({ adds }) => Object.keys(adds)),
      ...Object.keys(explains.notSums ?? {}),
    ];
    expect([name, [...new Set(said)].sort()]).toEqual([name, measures.toSorted()]);
  }
});

test('all parts add up to all figures, of both tenants', async () => {
  const brands = (await db.column('select id from app.brands')) as string[];
  for (const brandId of brands) expect(await assertExplained(db, brandId)).toBeGreaterThan(10);
});

test('a figure is listed with its orders, refund and their versions, and adds up in each currency', async () => {
  const { code, figures } = await shown(
    ...['daily_sales', '--brand', seller.brand.slug, '--retailer', 'uk', '--day', DAY],
  );
  expect(code).toBe(0);
  expect(figures.map(({ key }) => key.currency)).toEqual(['EUR', 'GBP']);
  const [, gbp] = figures;
  expect(
    gbp?.parts.map(
      ({ part, id, adds: { gross_sales = '0', returns = '0', refunded_money = '0', orders = '0' } }) =>
        [part, id, gross_sales, returns, refunded_money, orders].join(' '),
    ),
  ).toEqual(['order 2 100 0 0 1', 'order 1 0 50 0 0', 'refund r1 0 0 50 0', 'order 3 20 0 0 1']);
  expect(gbp?.sums).toContainEqual({ column: 'gross_sales', parts: '120', cell: '120', agrees: true });
  expect(gbp?.sums).toContainEqual({ column: 'returning_customers', parts: '0', cell: '0', agrees: true });
  expect(gbp?.parts[1]?.version).toMatchObject({
    ...{
      table: 'raw.shopify_orders',
      connection: 'shop-uk',
      provider: 'shopify',
      changed_at: '2026-03-30T00:00:00.000Z',
    },
  });
});

test('what is left out of a list is summed up, and a column may be chosen', async () => {
  const { figures } = await shown(
    ...['daily_sales', '--brand', seller.brand.slug, '--retailer', 'uk', '--day', DAY, '--currency', 'GBP'],
    ...['--column', 'gross_sales', '--limit', '1'],
  );
  expect(figures).toMatchObject([
    {
      ...{
        parts: [{ id: '2', adds: { gross_sales: '100' } }],
        rest: { rows: 1, adds: { gross_sales: '20' } },
      },
      sums: [{ column: 'gross_sales', parts: '120', agrees: true }],
    },
  ]);
});

test('a part that is a figure itself is explained by the command that it names, down to the row of the provider', async () => {
  const { figures } = await shown(
    'campaign_performance',
    '--brand',
    seller.brand.slug,
    '--campaign',
    'spring',
  );
  const path: string[] = [];
  let next = figures[0]?.parts[0]?.next;
  while (next) {
    const words = next.replace('npx nightshift explain ', '').split(' ');
    path.push(words[0] ?? '');
    const { code, figures: found } = await shown(...words);
    expect([words[0], code, found[0]?.adds_up]).toEqual([words[0], 0, true]);
    next = found[0]?.parts.find((one) => one.next !== null)?.next;
    if (next === null || next === undefined)
      expect(found[0]?.parts[0]).toMatchObject({ part: 'sale', version: { table: 'raw.shopify_sales' } });
  }
  expect(path).toEqual(['campaign_months', 'daily_campaigns', 'order_days']);
});

test('a rate names its publication, and amounts in the reporting currency', async () => {
  const { stdout } = await ofSales('--currency', 'EUR');
  const reporting = seller.brand.reportingCurrency;
  if (reporting === 'GBP') {
    expect(stdout).toContain('rate: 1 EUR = 0.8 GBP, published for 2026-03-27: 0.8 GBP for one euro (ecb)');
    expect(stdout).toContain('gross_sales_reporting 7.20');
  }
  expect(stdout).toContain('the parts add up to the figure in every column that is a sum');
});

test('a figure that its parts do not make ends with 1, and says whether a rollup is pending', async () => {
  await db.query(
    `update agg.daily_sales set gross_sales = 121 where brand_id = $1 and day = $2 and currency = 'GBP'`,
    [seller.brandId, DAY],
  );
  const wrong = await ofSales('--currency', 'GBP');
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain('gross_sales: parts 120, figure 121 <-- NOT EQUAL');
  expect(wrong.stdout).toContain('no rollup is pending: the figure is wrong');
  expect(wrong.stdout).toContain(
    `next: npx nightshift rollup run --brand ${seller.brand.slug} --from ${DAY} --to ${DAY} --wait`,
  );
  await db.query(
    `insert into ops.marks (brand_id, subject, retailer_id, day, marked_at) values ($1, 'sales', $2, $3, now())`,
    [seller.brandId, seller.uk.retailerId, DAY],
  );
  expect((await ofSales('--currency', 'GBP')).stdout).toContain('a rollup is pending (1 mark of sales since');
  await seller.roll();

  await db.query(
    `update agg.daily_sales set fx_rate = 2 where brand_id = $1 and day = $2 and currency = 'GBP'`,
    [seller.brandId, DAY],
  );
  const other = await ofSales('--currency', 'GBP');
  expect(other.code).toBe(1);
  expect(other.stdout).toContain('fx_rate: computed again 1, figure 2 <-- NOT EQUAL');
  expect(other.stdout).toContain('COMPUTED AGAIN, THE FIGURE DIFFERS, and no rollup is pending');
  await db.query(
    `insert into ops.marks (brand_id, subject, retailer_id, day, marked_at) values ($1, 'sales', $2, $3, now())`,
    [seller.brandId, seller.uk.retailerId, DAY],
  );
  await seller.roll();
  expect((await ofSales()).code).toBe(0);
});

test('what is not there is refused with what there is', async () => {
  const { slug } = seller.brand;
  const ask = (...words: string[]) => run(...words, '--brand', slug);
  const cases: [() => ReturnType<typeof run>, number, string][] = [
    [() => ask('daily_sails', '--day', DAY), 3, 'There are no figures daily_sails.'],
    [() => ask('order_credits', '--day', DAY), 2, 'order_credits is not a sum: it names the one touch'],
    [() => ask('daily_sales', '--day', DAY), 2, 'daily_sales has figures of each retailer.'],
    [() => ask('daily_sales', '--retailer', 'uk'), 2, 'daily_sales has figures of each day.'],
    [() => ask('daily_sales', '--retailer', 'fr', '--day', DAY), 3, 'There are: ie, uk.'],
    [() => ofSales('--column', 'x; drop'), 2, 'daily_sales has no column x; drop.'],
    [() => ofSales('--column', 'fx_rate'), 2, 'fx_rate is not a sum: the rate of the day.'],
    [() => ofSales('--where', "country'=GB"), 2, "figures of daily_sales are not told apart by country'."],
    [() => ofSales('--where', "currency=' or true --"), 3, 'There are: currency=EUR; currency=GBP.'],
    [
      () => run('daily_sales', '--brand', slug, '--retailer', 'uk', '--day', '2026-02-01'),
      3,
      'npx nightshift why daily_sales',
    ],
    [
      () => run('daily_sales', '--brand', slug, '--retailer', 'uk', '--day', '2026-02-30'),
      2,
      'an existing day',
    ],
    [() => ask('daily_campaigns', '--retailer', 'uk', '--day', DAY), 2, 'are not told apart by owner_id'],
    [
      () => ask('customer_value', '--retailer', 'uk'),
      2,
      'Name one: --where connection_id=ID --where customer_id=ID',
    ],
  ];
  for (const [ran, code, says] of cases)
    expect(await ran()).toMatchObject({ code, stderr: expect.stringContaining(says) });
});
