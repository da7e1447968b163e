/** The demo's parts: what it sets up, what it holds against what, and that its report fits a terminal. */
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type ForecastOfRetailer, forecastLines, wrongForecast } from '../../bin/cli/demo/forecast.ts';
import { type Money, readMoney, wrongMoney } from '../../bin/cli/demo/money.ts';
import { type Reached, wrongReach } from '../../bin/cli/demo/reach.ts';
import { moneyLines, whole } from '../../bin/cli/demo/report_money.ts';
import { reachLines } from '../../bin/cli/demo/report_reach.ts';
import { setUp } from '../../bin/cli/demo/setup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aBrand, aConnection, aRetailer, testKeyring } from '../support/rows/factory.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';

const WIDTH_MAX = 80;

const places = (port: number) => ({
  shops: ['uk', 'eire'].map((slug) => ({
    name: `giftware-${slug}`,
    domain: `giftware-${slug}.myshopify.com`,
    baseUrl: `http://127.0.0.1:${port}/shopify/giftware-${slug}`,
  })),
  stripe: ['', 'uk', 'eire', 'club'].map((slug) => ({
    account: `acct_giftware${slug}`,
    baseUrl: `http://127.0.0.1:${port}/stripe`,
  })),
  sendgrid: [{ account: 'giftware', baseUrls: [`http://127.0.0.1:${port}/sendgrid`] }],
  ayrshare: ['uk', 'eire'].map((slug) => ({
    account: `giftware-${slug}`,
    baseUrls: [`http://127.0.0.1:${port}/ayrshare`],
  })),
});

test('each retailer gets its accounts, the brand its mail, and a second time nothing is added', async () => {
  await using db = await freshDb();
  await setUp(db, testKeyring, places(1001));
  const { retailers, connections } = await setUp(db, testKeyring, places(1002));
  expect(retailers.map(({ slug }) => slug)).toEqual(['uk', 'eire', 'club']);
  expect(connections).toHaveLength(8);
  const stored = await db.column(
    `select coalesce(r.slug, 'brand') || ' ' || c.provider || ' ' || c.account || ' ' || (c.base_url like 'http://127.0.0.1:1002/%')
     from app.connections c left join app.retailers r on r.id = c.retailer_id order by c.created_at`,
  );
  expect(stored).toEqual([
    'brand sendgrid giftware true',
    'uk shopify giftware-uk.myshopify.com true',
    'uk stripe acct_giftwareuk true',
    'brand ayrshare giftware-uk true',
    'eire shopify giftware-eire.myshopify.com true',
    'eire stripe acct_giftwareeire true',
    'brand ayrshare giftware-eire true',
    'club stripe acct_giftwareclub true',
  ]);
  expect(
    await db.column(
      `select p.part || ' ' || r.slug from app.connection_parts p join app.retailers r on r.id = p.retailer_id order by 1`,
    ),
  ).toEqual(['category:eire eire', 'category:uk uk', 'giftware-eire eire', 'giftware-uk uk']);
  expect(await db.column("select name from app.retailers where slug = 'club'")).toEqual([
    'Giftware Club (made up)',
  ]);
});

type Shop = { brandId: string; connectionId: string; retailerId: string };

async function aShopOf(db: TestDb, brandId: string, slug: string): Promise<Shop> {
  const { id: retailerId } = await aRetailer(db, { brandId, slug });
  const { id: connectionId } = await aConnection(db, { brandId, retailerId });
  return { brandId, retailerId, connectionId };
}

const charged = (db: TestDb, { brandId, retailerId }: Shop, day: string, amount: string) =>
  db.query(
    `insert into agg.daily_payments (brand_id, retailer_id, day, currency, charges, charge_amount, refunds,
       refund_amount, disputes, dispute_amount, failed_charges, failed_amount, fees, payout_fees, net, payouts,
       payout_amount, other, topup_amount, transfer_amount, other_balances, balance_change, computed_at)
     values ($1, $2, $3, 'GBP', 1, $4, 0, 0, 0, 0, 0, 0, 0, 0, $4, 0, 0, 0, 0, 0, 0, $4, now())`,
    [brandId, retailerId, day, amount],
  );

test('charges are held against the orders of each day and retailer, and one penny is noticed', async () => {
  await using db = await freshDb();
  const { id } = await aBrand(db);
  const uk = await aShopOf(db, id, 'uk');
  const club = await aRetailer(db, { brandId: id, slug: 'club' });
  const orders = [
    anOrder({ id: '1', at: '2024-05-01T22:59:59Z', total: '10.00' }),
    anOrder({ id: '2', at: '2024-05-01T23:00:00Z', total: '5.00' }), // the next day in London
    anOrder({ id: '3', at: '2024-05-02T12:00:00Z', total: '2.50' }),
  ];
  await db.transaction((tx) => loadOrders(tx, uk, orders));
  await charged(db, uk, '2024-05-01', '10.00');
  await charged(db, uk, '2024-05-02', '7.50');
  await charged(db, { ...uk, retailerId: club.id }, '2024-05-02', '99.00'); // pays for no order: it has no shop
  const compared = async () => (await readMoney(db, id)).compared;
  expect(await compared()).toEqual({ days_compared: 2, days_differing: 0, differing: [] });

  await db.query('update agg.daily_payments set charge_amount = 7.49, net = 7.49 where charge_amount = 7.5');
  expect(await compared()).toEqual({
    days_compared: 2,
    days_differing: 1,
    differing: ['uk 2024-05-02 7.49 for 7.5'],
  });
  await charged(db, uk, '2024-05-09', '1.00'); // a day without an order
  expect(wrongMoney(await readMoney(db, id))).toEqual([
    'charges differ from orders on 2 days: uk 2024-05-02 7.49 for 7.5, uk 2024-05-09 1 for 0',
    'there is no recurring revenue',
  ]);
});

test('a demo in which nothing could be compared has proved nothing', async () => {
  await using db = await freshDb();
  const { id } = await aBrand(db);
  expect(wrongMoney(await readMoney(db, id))).toHaveLength(2);
});

const amounts = {
  charges: '9014160.49',
  refunds: '423380.50',
  fees: '-0.4',
  net: '0',
  payouts: '12',
  closing_balance: '1',
};
const month = { month: '2011-01', is_reconstructed: true, expansion_mrr: '66.00', reactivated_mrr: '9.00' };
const money: Money = {
  cash: [
    { retailer: 'germany', currency: 'GBP', net_sales: '8198868.424', ...amounts },
    { retailer: 'club', currency: 'USD', net_sales: null, ...amounts },
  ],
  compared: { days_compared: 1126, days_differing: 0, differing: [] },
  recurring: [
    {
      ...month,
      currency: 'GBP',
      mrr: '998.17',
      new_mrr: '247.00',
      churned_mrr: '42.00',
      contraction_mrr: '12.00',
    },
    {
      ...month,
      currency: 'USD',
      mrr: '123.75',
      new_mrr: '26.25',
      churned_mrr: '0.00',
      contraction_mrr: '0.00',
    },
  ],
  days_of_mrr: 370,
  days_reconstructed: 369,
  consolidated: {
    day: '2011-12-10',
    currency: 'GBP',
    mrr: '1027.05',
    rates: ['0.63744 GBP/USD, 2011-12-09'],
  },
};

test('the report of money fits a terminal and says what is proved, made up and reconstructed', () => {
  const lines = moneyLines(money).map((line) => stripVTControlCharacters(line));
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(WIDTH_MAX);
  const text = lines.join('\n');
  expect(text).toContain('charged = the orders of the day, to the penny, on each of 1,126 retailer days');
  expect(text).toContain('club: made-up subscriptions');
  expect(text).toContain('369 of 370 days reconstructed');
  expect(text).toContain('together 1,027.05 GBP (ECB: 0.63744 GBP/USD, 2011-12-09)');
  const differing = { ...money, compared: { days_compared: 1126, days_differing: 3, differing: ['x'] } };
  const said = moneyLines(differing).map((line) => stripVTControlCharacters(line));
  expect(said.join('\n')).toContain('charges differ from orders on 3 of 1,126 retailer days');
});

test.each([
  ['9014160.49', '9,014,160'],
  ['423380.50', '423,381'],
  ['-423380.5', '-423,381'],
  ['-0.4', '0'],
  ['99999999999999999999.5', '100,000,000,000,000,000,000'],
  [null, ''],
])('%s is shown as %s', (amount, shown) => {
  expect(whole(amount)).toBe(shown);
});

test('the report of reach says what is real, what made up, and misses a post', () => {
  const row = { retailer: 'uk', delivered: 6_000, open_rate: '0.2149', click_rate: '0.0310' };
  const numbers = { likes: 1_000_000, comments: 1_000_000, shares: 200_000, engagement: 2_200_000 };
  const all: Reached[] = [
    { ...row, ...numbers, posts: 6_990 },
    { ...row, ...numbers, retailer: 'germany', posts: 7, delivered: 0, open_rate: null, click_rate: null },
  ];
  const shown = reachLines(all).map((line) => stripVTControlCharacters(line));
  for (const line of shown) expect(line.length, line).toBeLessThanOrEqual(WIDTH_MAX);
  expect(shown.join('\n')).toContain('6,000 21.49 %  3.10 %');
  expect(wrongReach(all)).toEqual([]);
  expect(wrongReach(all.slice(0, 1))).toEqual(['posts is 6990 and should be 6997']);
});

test('the report of forecasts has both errors, and misses a retailer that sells', () => {
  const uk: ForecastOfRetailer = {
    ...{ retailer: 'uk', made_on: '2011-12-10', cause: null, expected: '1275313', error: '0.3382' },
    ...{ naive_error: '0.4332', coverage: '0.8118', error_of_last_30_days: null },
  };
  const none = { ...uk, expected: null, error: null, naive_error: null, coverage: null };
  const club = { ...none, retailer: 'club', cause: 'no_sales' };
  const shown = forecastLines([uk, club], 'GBP').map((line) => stripVTControlCharacters(line));
  expect(shown[3]).toMatch(/^ {2}uk +1,275,313 +33.82 % +43.32 % +81.18 %$/);
  expect(shown).toHaveLength(5);
  expect(wrongForecast([uk, club])).toEqual([]);
  expect(wrongForecast([{ ...none, cause: 'naive_is_better' }])).toEqual([
    'sales of uk are not forecast: naive_is_better',
  ]);
});
