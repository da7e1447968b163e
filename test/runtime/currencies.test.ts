/** ISO 4217 at every door, from one list. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readRates } from '#connectors/ecb/read_rates.ts';
import { InvalidField } from '#connectors/kit/fields.ts';
import { toItem as customerItem } from '#connectors/shopify/streams/customers.ts';
import { productItem } from '#connectors/shopify/streams/product_rows.ts';
import { money, placesOf } from '#connectors/stripe/api/coerce.ts';
import { readConfig } from '#runtime/config.ts';
import { currencies, exponentOf, isCurrency } from '#runtime/currencies.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';

const NONE = ['XXX', 'XTS', 'XAU', 'XDR', 'XBA', 'US', 'usd', 'USDC', '', '\u{1F4B6}', ' USD', 'toString'];

test('the list has current and historic currencies, each once, and nothing else', () => {
  expect(currencies).toHaveLength(new Set(currencies).size);
  for (const code of currencies) expect(code).toMatch(/^[A-Z]{3}$/);
  expect(currencies.filter(isCurrency)).toEqual(currencies);
  expect(
    ['EUR', 'USD', 'JPY', 'XCG', 'ZWG', 'BGN', 'HRK', 'DEM', 'XAF', 'XPF'].filter(
      (code) => !isCurrency(code),
    ),
  ).toEqual([]);
  expect(NONE.filter(isCurrency)).toEqual([]);
});

// The database rounds with a function of its own, because views cannot read our code.
test('the database gives each currency the places that the list gives it', async () => {
  await using db = await freshDb();
  const rows = await db.rows<{ code: string; places: number }>(
    'select code, fact.currency_exponent(code) as places from unnest($1::text[]) as c (code)',
    [[...currencies, 'XXX']],
  );
  expect(rows.filter(({ code, places }) => places !== exponentOf(code))).toEqual([]);
});

test('Stripe counts as ISO 4217 does, but for what it lists', () => {
  const otherwise = currencies.filter((code) => placesOf(code) !== exponentOf(code));
  expect(otherwise).toEqual(['CLF', 'IQD', 'ISK', 'LYD', 'MGA', 'UGX', 'UYI', 'UYW']);
  const amounts = ['USD', 'JPY', 'KWD', 'ISK', 'MGA'].map((code) => money({ amount: 1050 }, 'amount', code));
  expect(amounts).toEqual(['10.5', '1050', '1.05', '10.5', '1050']);
});

const product = (currencyCode: string) => ({
  ...{
    id: 'gid://shopify/Product/1',
    title: 'Mug',
    status: 'ACTIVE',
    vendor: '',
    productType: '',
    category: null,
  },
  ...{ createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z' },
  variants: [
    {
      ...{ id: 'gid://shopify/ProductVariant/1', sku: '', title: '', price: '9', inventoryQuantity: 1 },
      inventoryItem: {
        ...{ id: 'gid://shopify/InventoryItem/1', updatedAt: '2026-01-01T00:00:00Z' },
        unitCost: { amount: '1', currencyCode },
      },
      inventoryLevels: [],
    },
  ],
});

const customer = (currencyCode: string) => ({
  ...{ id: 'gid://shopify/Customer/1', createdAt: '2026-01-01T00:00:00Z', updatedAt: '2026-01-01T00:00:00Z' },
  ...{ state: 'ENABLED', numberOfOrders: '1', amountSpent: { amount: '1', currencyCode } },
});

test.for(NONE)('costs and spendings in %j are not stored', (code) => {
  expect(productItem(product('USD'))).toBeDefined();
  expect(customerItem(customer('USD'))).toBeDefined();
  expect(() => productItem(product(code))).toThrow(InvalidField);
  expect(() => customerItem(customer(code))).toThrow(InvalidField);
});

test.for(['XXX', 'XTS', 'XAU', 'usd'])('nobody reports in %s', async (code) => {
  await using db = await freshDb();
  const add = ['brands', 'add', 'acme', '--zone', 'UTC', '--currency', code];
  expect(await nightshift(add, { env: { DATABASE_URL: db.url } })).toMatchObject({ code: 2 });
  expect(() => readConfig({ NIGHTSHIFT_PLATFORM_CURRENCY: code })).toThrow(/NIGHTSHIFT_PLATFORM_CURRENCY/);
});

const origin = { source: 'f', today: '2026-11-20' };

test('a file with rates of what is not a currency is refused', async () => {
  const file = (code: string) => Buffer.from(`Date,USD,${code},\n2026-11-19,1.5,7,\n`);
  await expect(readRates(file('XXX'), origin)).rejects.toThrow('"XXX" is not a currency code');
  expect(await readRates(file('DEM'), origin)).toBeDefined();
});

test('whatever the ECB has ever published is on the list', async () => {
  const file = new URL('../../sandbox/data/ecb-eurofxref-hist.csv.gz', import.meta.url);
  const { days } = await readRates(await readFile(file), origin);
  expect(days.length).toBeGreaterThan(1_000);
});
