/**
 * What the sandbox of the soak serves: accounts in which something new is there every few seconds. It answers by the
 * real clock, and what is created later is not there yet, so orders and charges of the hours to come stand in its
 * files from the beginning.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addBrand } from '../../sql/tenants/brands.ts';
import type { Connection, Keyring } from '../../sql/tenants/connections.ts';
import { addConnection } from '../../sql/tenants/connections.ts';
import { addRetailer } from '../../sql/tenants/retailers.ts';
import { tasks } from '../../tasks/index.ts';
import { addSchedule } from '../../workers/scheduler/actions.ts';
import { addDefaults } from '../../workers/scheduler/defaults.ts';
import type { BenchDb } from './server.ts';

const BRANDS = 8;
const EVERY_SECONDS = 15;
const BEFORE_SECONDS = 2 * 3_600;
const AFTER_SECONDS = 600;
const CUSTOMERS = 50;
const PRICE_MINOR = 1_990;
const FEE_MINOR = 50;
const RATES_DAYS = 120;
/** Fewer than the bank publishes would be doubted. */
const CURRENCIES =
  'USD,JPY,CZK,DKK,GBP,HUF,PLN,RON,SEK,CHF,ISK,NOK,TRY,AUD,BRL,CAD,CNY,HKD,IDR,ILS,INR,KRW,MXN,MYR,NZD,PHP,SGD,THB,ZAR'.split(
    ',',
  );
const DAY_MS = 86_400_000;

const numbers = Array.from({ length: BRANDS }, (_, number) => number);
const shopOf = (number: number) => `soak-${number}`;
const tokenOf = (number: number) => `shpat_soak_${number}`;
const accountOf = (number: number) => `acct_soak${number}`;
const keyOf = (number: number) => `rk_test_soak_${number}`;

/** A directory for the sandbox; leaving the scope removes it. */
export async function writeWorld(seconds: number): Promise<AsyncDisposable & { dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-bench-soak-'));
  const now = Math.floor(Date.now() / 1_000);
  const times: number[] = [];
  for (let at = now - BEFORE_SECONDS; at < now + seconds + AFTER_SECONDS; at += EVERY_SECONDS) times.push(at);
  const shops = Object.fromEntries(
    numbers.map((number) => [shopOf(number), { token: tokenOf(number), currency: 'USD', zone: 'UTC' }]),
  );
  const stripe = Object.fromEntries(numbers.map((number) => [accountOf(number), { key: keyOf(number) }]));
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ shops, stripe }));
  for (const number of numbers) {
    await writeRows(join(dir, 'shopify', shopOf(number)), 'orders', times.map(orderAt));
    await writeRows(join(dir, 'stripe', accountOf(number)), 'charges', times.map(chargeAt));
    await writeRows(join(dir, 'stripe', accountOf(number)), 'balance_transactions', times.map(bookingAt));
  }
  await mkdir(join(dir, 'ecb'));
  await writeFile(join(dir, 'ecb', 'eurofxref-hist.csv'), rates(now * 1_000));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

async function writeRows(dir: string, list: string, rows: readonly object[]): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, `${list}.ndjson`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

function orderAt(at: number, index: number) {
  return {
    id: 1_000 + index,
    processedAt: new Date(at * 1_000).toISOString(),
    customer: (index % CUSTOMERS) + 1,
    shippingAddress: { countryCodeV2: 'US' },
    lineItems: [{ id: 100_000 + index, sku: `SKU-${index % 7}`, quantity: 1, originalUnitPriceSet: '19.90' }],
    transactions: [{ kind: 'SALE', amountSet: '19.90' }],
  };
}

function chargeAt(created: number, index: number) {
  return { id: `ch_${index}`, amount: PRICE_MINOR, currency: 'usd', created };
}

function bookingAt(created: number, index: number) {
  const amounts = { amount: PRICE_MINOR, fee: FEE_MINOR, currency: 'usd' };
  return { id: `txn_${index}`, ...amounts, created, source: `ch_${index}` };
}

/** Of each day but Saturdays and Sundays, as the bank publishes them. */
function rates(now: number): string {
  const days = Array.from({ length: RATES_DAYS }, (_, index) => new Date(now - index * DAY_MS));
  const working = days.filter((day) => day.getUTCDay() % 6 !== 0);
  const lines = working.map(
    (day) => `${day.toISOString().slice(0, 10)},${CURRENCIES.map(() => '1.16').join()},\n`,
  );
  return [`Date,${CURRENCIES.join()},\n`, ...lines].join('');
}

/** Each brand with a shop and a Stripe account, its usual schedules, and a sync of both in every minute. */
export async function addWorld(db: BenchDb, keyring: Keyring, url: string): Promise<void> {
  const by = { by: 'bench', tasks };
  for (const number of numbers) {
    for (const { brandId, id: connectionId } of await addOne(db, keyring, { url, number }))
      await addSchedule(
        db,
        { ...often, brandId, connectionId, name: 'often', task: 'sync_connection', expression: '* * * * *' },
        by,
      );
  }
  const platform = { ...often, brandId: null, connectionId: null };
  for (const [name, task, expression] of [
    ['often-kept', 'retention', '*/5 * * * *'],
    ['often-rates', 'fx_rates', '*/10 * * * *'],
  ] as const)
    await addSchedule(db, { ...platform, name, task, expression }, by);
}

const often = { payload: {}, timeZone: null, catchUp: 'latest', catchUpMax: 1, overlap: 'skip' } as const;

function addOne(
  db: BenchDb,
  keyring: Keyring,
  { url, number }: { url: string; number: number },
): Promise<Connection[]> {
  return db.transaction(async (tx) => {
    const names = { slug: shopOf(number), name: `Soak ${number}` };
    const brand = await addBrand(tx, { ...names, timeZone: zoneOf(number), reportingCurrency: 'EUR' });
    const retailer = await addRetailer(tx, { ...names, brandId: brand.id });
    const owner = { brandId: brand.id, retailerId: retailer.id };
    const shop = await addConnection(tx, keyring, {
      ...{ ...owner, name: 'shop', provider: 'shopify', account: `${shopOf(number)}.myshopify.com` },
      ...{ baseUrl: `${url}/shopify/${shopOf(number)}`, auth: 'token', secret: tokenOf(number) },
    });
    const stripe = await addConnection(tx, keyring, {
      ...{ ...owner, name: 'stripe', provider: 'stripe', account: accountOf(number) },
      ...{ baseUrl: `${url}/stripe`, auth: 'key', secret: keyOf(number) },
    });
    for (const connectionId of [null, shop.id, stripe.id])
      await addDefaults(tx, tasks, { brandId: brand.id, connectionId });
    return [shop, stripe];
  });
}

/** Zones in which it becomes 02:00 at the next full hours, so that nights are part of what is measured. */
function zoneOf(number: number): string {
  const hour = new Date().getUTCHours() + 1 + number;
  const east = ((((2 - hour) % 24) + 36) % 24) - 12;
  return `Etc/GMT${east >= 0 ? '-' : '+'}${Math.abs(east)}`; // signs are the other way round in these names
}
