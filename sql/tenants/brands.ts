/** Brands: the tenants. Their time zone decides what a day is, their reporting currency what sums are in. */
import { isCurrency } from '#runtime/currencies.ts';
import { coded } from '#runtime/errors.ts';
import { markLinks } from '../campaigns/mark_links.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { markAllDays, type Owner } from '../dirty/marks.ts';
import { markEvents } from '../events/marks.ts';
import { markRatedOfBrand } from '../fx/days.ts';
import type { Table } from '../load/table.ts';
import { moveFinalDays } from '../restatements/final_days.ts';
import type { Rollup } from '../rollups/rollup.ts';
import { type ActionName, recordAction } from './audit.ts';
import { NameNotFound, named, taking } from './names.ts';

export type Brand = {
  id: string;
  slug: string;
  name: string;
  timeZone: string;
  reportingCurrency: string;
  /** Since when it is being removed, for good. */
  removingAt: Date | null;
};

export type NewBrand = Omit<Brand, 'id' | 'removingAt'> & { actor?: string };

export class TimeZoneUnknown extends coded('NS_TIME_ZONE_UNKNOWN') {
  constructor(timeZone: string) {
    super(`'${timeZone}' is not a time zone that both PostgreSQL and Node know.`, {
      hint: 'Use an IANA name such as Europe/London.',
      context: { timeZone },
    });
  }
}

export class CurrencyUnknown extends coded('NS_CURRENCY_UNKNOWN') {
  constructor(currency: string) {
    super(`'${currency}' is not an ISO 4217 currency.`, {
      hint: 'Use the three capital letters of its code, such as GBP.',
      context: { currency },
    });
  }
}

const COLUMNS = `id, slug, name, time_zone as "timeZone", reporting_currency as "reportingCurrency",
  removing_at as "removingAt"`;

export async function addBrand(tx: Tx, brand: NewBrand): Promise<Brand> {
  const { slug, name, timeZone, reportingCurrency, actor } = brand;
  await assertTimeZone(tx, timeZone);
  assertCurrency(reportingCurrency);
  const { rows } = await taking('brand', slug, () =>
    tx.query<Brand>(
      `insert into app.brands (slug, name, time_zone, reporting_currency) values ($1, $2, $3, $4)
       returning ${COLUMNS}`,
      [slug, name, timeZone, reportingCurrency],
    ),
  );
  const added = only(rows);
  const after = { name, timeZone, reportingCurrency };
  await recordAction(tx, { action: 'brands.add', brandId: added.id, target: slug, after, actor });
  return added;
}

export async function listBrands(db: Reader): Promise<Brand[]> {
  const { rows } = await db.query<Brand>(`select ${COLUMNS} from app.brands order by slug`);
  return rows;
}

export async function findBrand(db: Reader, slug: string): Promise<Brand> {
  return named('brand', slug, await listBrands(db), (brand) => brand.slug);
}

export type BrandChange = {
  brandId: string;
  /** Every table whose rows belong to days. */
  tables: readonly Table[];
  now: Date;
  actor?: string;
  /** Those of the product, if not said. */
  rollups?: readonly Rollup[];
};

/** The marks that a change wrote, and their retailers. */
export type Marked = { days: number; retailerIds: Owner[] };

/** Marks every day of the old zone and of the new one. Loads wait for it, and it waits for them. */
export async function changeTimeZone(tx: Tx, timeZone: string, change: BrandChange): Promise<Marked> {
  await assertTimeZone(tx, timeZone);
  const before = await lockBrand(tx, change.brandId);
  if (before.timeZone === timeZone) return { days: 0, retailerIds: [] };
  await tx.query('update app.brands set time_zone = $2 where id = $1', [before.id, timeZone]);
  await moveFinalDays(tx, before.id, timeZone);
  const zones = [before.timeZone, timeZone];
  return markChange(tx, before, change, { action: 'brands.time_zone', after: { timeZone } }, zones);
}

/** Marks every day: each has figures in the reporting currency. */
export async function changeReportingCurrency(
  tx: Tx,
  currency: string,
  change: BrandChange,
): Promise<Marked> {
  assertCurrency(currency);
  const before = await lockBrand(tx, change.brandId);
  if (before.reportingCurrency === currency) return { days: 0, retailerIds: [] };
  await tx.query('update app.brands set reporting_currency = $2 where id = $1', [before.id, currency]);
  const changed = { action: 'brands.reporting_currency', after: { reportingCurrency: currency } } as const;
  return markChange(tx, before, change, changed, [before.timeZone]);
}

async function markChange(
  tx: Tx,
  brand: Brand,
  change: BrandChange,
  { action, after }: { action: ActionName; after: Partial<Brand> },
  timeZones: readonly string[],
): Promise<Marked> {
  const days = await markBrand(tx, brand.id, change, timeZones);
  const { actor } = change;
  const before = Object.fromEntries(Object.keys(after).map((field) => [field, brand[field as keyof Brand]]));
  await recordAction(tx, { action, brandId: brand.id, target: brand.slug, before, after, actor });
  const { rows } = await tx.query<{ id: Owner }>(
    `(select id from app.retailers where brand_id = $1 and removing_at is null order by slug)
     union all
     select null where exists (select from ops.marks where brand_id = $1 and retailer_id is null)`,
    [brand.id],
  );
  return { days, retailerIds: rows.map(({ id }) => id) };
}

/** Marks all that a brand has figures of, in its zone, and in the one that it had before if that was another. */
export async function markBrand(
  tx: Tx,
  brandId: string,
  { tables, now, rollups }: Pick<BrandChange, 'tables' | 'now' | 'rollups'>,
  timeZones: readonly string[],
): Promise<number> {
  if (timeZones.length > 1) {
    await markLinks(tx, brandId, { cause: 'changed_definition' }); // credits keep the days of touches
    await markEvents(tx, brandId, timeZones);
  }
  const days = await markAllDays(tx, { brandId, timeZones, tables, cause: 'changed_definition', now });
  await markRatedOfBrand(tx, brandId, now, rollups);
  return days;
}

// A load holds the row `for key share`, which an update alone would let pass: it changes no key.
async function lockBrand(tx: Tx, brandId: string): Promise<Brand> {
  const { rows } = await tx.query<Brand>(`select ${COLUMNS} from app.brands where id = $1 for update`, [
    brandId,
  ]);
  if (rows[0] === undefined) throw new NameNotFound('brand', brandId, []);
  return rows[0];
}

/** Known valid zones. PostgreSQL reads the files of all zones at each lookup. */
const knownZones = new Set<string>();

/** Throws NS_TIME_ZONE_UNKNOWN. */
export async function assertTimeZone(tx: Tx, timeZone: string): Promise<void> {
  if (knownZones.has(timeZone)) return;
  const { rows } = await tx.query('select from pg_timezone_names where name = $1', [timeZone]);
  if (rows.length === 0 || !knownToNode(timeZone)) throw new TimeZoneUnknown(timeZone);
  knownZones.add(timeZone);
}

/** A zone that another machine stored may be newer than this Node. */
export function knownToNode(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** Throws NS_CURRENCY_UNKNOWN if ISO 4217 does not list it. */
export function assertCurrency(currency: string): void {
  if (!isCurrency(currency)) throw new CurrencyUnknown(currency);
}

/** The row of a statement that returns one or throws. */
export function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new TypeError('a statement that returns a row returned none');
  return row;
}
