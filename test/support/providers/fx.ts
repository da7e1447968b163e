/** Exchange rates for tests: the real ones, and hand-made ones that are stored as in production. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Published } from '#connectors/ecb/published.ts';
import { readRates } from '#connectors/ecb/read_rates.ts';
import { type BrandNoticed, noticeRatesOfBrand } from '#sql/fx/days.ts';
import { type DayOfRates, type RatesKept, storeRates } from '#sql/fx/rates.ts';
import { fxBrand } from '#tasks/fx/fx_brand.ts';
import { fxFanOut } from '#tasks/fx/fx_fan_out.ts';
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from '../db/db.ts';
import { aShop, type Shop } from '../rows/factory.ts';
import { anOrder, loadOrders, type RawOrder } from '../rows/raw_orders.ts';
import { placeOf } from '../rows/rolled.ts';
import { claimJob, runClaimed, runTask } from '../run.ts';

export type Rate = [currency: string, day: string, unitsPerEuro: string | null];

const root = join(import.meta.dirname, '../../..');
export const HISTORY_GZ = join(root, 'sandbox/data/ecb-eurofxref-hist.csv.gz');
export const DAILY_GZ = join(root, 'test/data/ecb-eurofxref-daily-2018-06-29.xml.gz');
export const RECENT_GZ = join(root, 'test/data/ecb-eurofxref-hist-90d-2025-02-25.xml.gz');

export function readGz(file: string, today = '2026-11-20'): Promise<Published> {
  return readRates(readFileSync(file), { source: file, today });
}

/** The real history from a day on, as the file of a scenario. */
export function historySince(first: string): string {
  const [header = '', ...lines] = gunzipSync(readFileSync(HISTORY_GZ)).toString('utf8').split('\n');
  return [header, ...lines.filter((line) => line >= first), ''].join('\n');
}

/** The cells of the real history by day and currency, read without our readers. */
export function historyCells(): Map<string, Map<string, string>> {
  const [header = '', ...lines] = gunzipSync(readFileSync(HISTORY_GZ)).toString('utf8').trim().split('\n');
  const currencies = header.split(',').slice(1);
  return new Map(
    lines.map((line) => {
      const [day = '', ...cells] = line.split(',');
      const rates = currencies.flatMap((currency, at): [string, string][] => {
        const cell = cells[at] ?? '';
        return cell === '' || cell === 'N/A' ? [] : [[currency, cell]];
      });
      return [day, new Map(rates)];
    }),
  );
}

/** The real rates of a span of days, of these currencies only. */
export async function realRates(from: string, to: string, currencies: readonly string[]): Promise<Rate[]> {
  const { days } = await readGz(HISTORY_GZ);
  return days
    .filter(({ day }) => day >= from && day <= to)
    .flatMap(({ day, rates }) => currencies.map((c): Rate => [c, day, rates.get(c) ?? null]))
    .filter(([, , rate]) => rate !== null);
}

export function daysOf(rates: readonly Rate[], isWhole = false): DayOfRates[] {
  const days = new Map<string, Map<string, string | null>>();
  for (const [currency, day, rate] of rates) {
    const ofDay = days.get(day) ?? new Map<string, string | null>();
    days.set(day, ofDay.set(currency, rate));
  }
  return [...days].map(([day, ofDay]) => ({ day, rates: ofDay, isWhole, doubts: [] }));
}

/** Stores rates, has each brand mark its days as its job does, and computes nothing again. */
export async function store(
  db: TestDb,
  rates: readonly Rate[],
  isWhole = false,
): Promise<RatesKept & BrandNoticed> {
  const given = { days: daysOf(rates, isWhole), source: 'test', now: new Date(), actor: 'test' };
  const kept = await db.transaction((tx) => storeRates(tx, given));
  const noticed: BrandNoticed = { days: 0, busy: [] };
  for (const id of await db.column('select id from app.brands order by id')) {
    const { days, busy } = await db.transaction((tx) => noticeRatesOfBrand(tx, String(id)));
    noticed.days += days;
    noticed.busy.push(...busy);
  }
  return { ...kept, ...noticed };
}

/** Runs the jobs that pass changes of rates on and compare the rows of brands; gives the days that they marked. */
export async function passOn(db: TestDb): Promise<number> {
  let days = 0;
  const waiting = (task: string) =>
    db.column('select id from graphile_worker.jobs where task_identifier = $1 order by id', [task]);
  for (const id of await waiting(fxFanOut.name))
    await runClaimed(fxFanOut, await claimJob(db, String(id)), db);
  for (const id of await waiting(fxBrand.name)) {
    const { tally } = await runClaimed(fxBrand, await claimJob(db, String(id)), db);
    days += Number(tally?.days);
  }
  return days;
}

/** A brand with a shop that has sold for 10.00 at noon of each of these days, in each of these currencies. */
export async function aSeller(
  db: TestDb,
  { reports, days, currencies }: { reports: string; days: readonly string[]; currencies: readonly string[] },
): Promise<Shop> {
  const shop = await aShop(db, { reportingCurrency: reports, timeZone: 'UTC' });
  const orders = days.flatMap((day, at) =>
    currencies.map((currency, nth): RawOrder => ({ id: `${at}${nth}`, at: `${day}T12:00:00Z`, currency })),
  );
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), orders.map(anOrder)));
  await rollUp(db, shop);
  return shop;
}

/** With what is handed on to the brand, whose job is through then. */
export async function rollUp(db: TestDb, { brand, retailer }: Shop): Promise<void> {
  for (const retailerId of [retailer.id, null]) await runTask(rollup, { brandId: brand.id, retailerId }, db);
  const ofBrand = `select id from graphile_worker.jobs where key = $1`;
  await db.query(`select graphile_worker.complete_jobs(array(${ofBrand}))`, [`rollup:${brand.id}:brand`]);
}

/** The days of one brand that are marked. */
export function markedDays(db: TestDb, { brand }: Shop): Promise<unknown[]> {
  return db.column('select distinct day from ops.marks where brand_id = $1 order by 1', [brand.id]);
}

/** What a row was written by, to see whether it was written again. */
export function versions(db: TestDb, table: string): Promise<unknown[]> {
  return db.column(`select xmin || ' ' || ctid from ${table} order by 1`);
}
