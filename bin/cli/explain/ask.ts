/** Which figures a command names: all that it says is checked before anything is read. */

import { findCampaign } from '#sql/campaigns/campaigns.ts';
import type { Db } from '#sql/db/pool.ts';
import { figures } from '#sql/explain/find.ts';
import { type Explained, isExplained, keyOf, sumsOf } from '#sql/explain/statement.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { type Brand, findBrand } from '#sql/tenants/brands.ts';
import { findRetailer, type Retailer } from '#sql/tenants/retailers.ts';
import { UsageError } from '../ui/errors.ts';
import { FigureUnknown } from '../why/figure.ts';

export type Options = {
  brand: string;
  retailer?: string;
  day?: string;
  currency?: string;
  campaign?: string;
  where?: readonly string[];
  column?: string;
  limit: number;
};

export type Asked = {
  rollup: Explained;
  brand: Brand;
  retailer: Retailer | undefined;
  /** Whose rollup computes it; null for the brand's own. */
  owner: string | null;
  /** A day, or an object in the form of marks; none for a view. */
  partition: string | null;
  day: string | undefined;
  key: Record<string, string>;
  column: string | undefined;
  limit: number;
};

export async function ask(db: Db, name: string, options: Options): Promise<Asked> {
  const rollup = findFigure(name);
  const brand = await findBrand(db, options.brand);
  const retailer =
    options.retailer === undefined ? undefined : await findRetailer(db, brand.id, options.retailer);
  if (rollup.of !== 'brand' && retailer === undefined)
    throw new UsageError(`${name} has figures of each retailer.`, 'Name one: --retailer RETAILER');
  const key = keyOfOptions(rollup, options);
  if (options.campaign !== undefined)
    key[known(rollup, 'campaign_id', '--campaign')] = (await findCampaign(db, brand.id, options.campaign)).id;
  if (rollup.of === 'brand' && retailer !== undefined)
    key[known(rollup, rollup.grain.includes('retailer_id') ? 'retailer_id' : 'owner_id', '--retailer')] =
      retailer.id;
  const { column, limit, day } = options;
  if (rollup.object !== undefined && day !== undefined) key[known(rollup, 'day', '--day')] = day;
  if (column !== undefined && !sumsOf(rollup).includes(column)) throw noSum(rollup, column);
  const owner = rollup.of === 'brand' ? null : (retailer?.id ?? null);
  return {
    rollup,
    brand,
    retailer,
    owner,
    partition: partitionOf(rollup, day, key),
    day,
    key,
    column,
    limit,
  };
}

function findFigure(name: string): Explained {
  const figure = figures.get(name);
  if (figure === undefined)
    throw new FigureUnknown(
      name,
      [...figures.values()].filter(isExplained).map((one) => one.name),
    );
  if (isExplained(figure)) return figure;
  throw new UsageError(
    `${name} is not a sum: ${figure.explains ?? 'it does not say what it is made of'}.`,
    `There are sums: ${[...figures.values()]
      .filter(isExplained)
      .map((one) => one.name)
      .join(', ')}.`,
  );
}

/** What --where and --currency say, by column of the key. */
function keyOfOptions(rollup: Rollup, { where = [], currency }: Options): Record<string, string> {
  const key: Record<string, string> = {};
  for (const pair of where) {
    const [column = '', ...value] = pair.split('=');
    if (value.length === 0) throw new UsageError(`'${pair}' names no value.`, 'Write --where country=DE');
    key[known(rollup, column, '--where')] = value.join('=');
  }
  if (currency !== undefined) key[known(rollup, 'currency', '--currency')] = currency;
  return key;
}

function known(rollup: Rollup, column: string, option: string): string {
  const own = keyOf(rollup).filter((one) => one !== 'retailer_id' || rollup.of === 'brand');
  if (own.includes(column)) return column;
  throw new UsageError(
    `${option} does not apply: figures of ${rollup.name} are not told apart by ${column}.`,
    `They are by ${own.join(', ')}.`,
  );
}

function noSum(rollup: Explained, column: string): UsageError {
  const is = rollup.explains.notSums?.[column];
  return new UsageError(
    is === undefined ? `${rollup.name} has no column ${column}.` : `${column} is not a sum: ${is}.`,
    `It has: ${sumsOf(rollup).join(', ')}.`,
  );
}

function partitionOf(rollup: Explained, day: string | undefined, key: Record<string, string>): string | null {
  const { object, grain, name } = rollup;
  if (object !== undefined) {
    const { connection_id: connection, [object]: id } = key;
    if (connection !== undefined && id !== undefined) return `${connection} ${id}`;
    throw new UsageError(
      `${name} has figures of each ${object}.`,
      `Name one: --where connection_id=ID --where ${object}=ID`,
    );
  }
  if (!grain.includes('day')) return null;
  if (day !== undefined) return day;
  throw new UsageError(`${name} has figures of each day.`, 'Name one: --day 2026-11-29');
}
