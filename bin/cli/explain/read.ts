/** Reads the figures that are asked for with all that explains them, as of one snapshot. */
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import {
  type Cell,
  type Key,
  type Other,
  type PartRow,
  readCells,
  readParts,
  type Sum,
} from '#sql/explain/cells.ts';
import { carriedTo, periodsWith, type Waiting, waitingMarks } from '#sql/explain/find.ts';
import {
  type ClosedRow,
  closedRowOf,
  objectOf,
  type Rates,
  type Restated,
  ratesOf,
  restatementsOf,
  type Version,
  versionsOf,
} from '#sql/explain/sources.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import { listRetailers, type Retailer } from '#sql/tenants/retailers.ts';
import { optionWords } from '../shared/options/words.ts';
import { UsageError } from '../ui/errors.ts';
import type { Asked } from './ask.ts';

/** More figures than these are told by name, and one must be chosen. */
const CELLS_MAX = 5;
const NAMED_MAX = 20;

export class FigureAbsent extends coded('NS_FIGURE_ABSENT') {
  constructor(whose: string, { rollup, brand, retailer, day, key }: Asked, known: readonly string[]) {
    const which = [day, ...Object.values(key)].filter((one) => one !== undefined).join(', ');
    const others = known.length === 0 ? '' : ` There are: ${known.join('; ')}.`;
    const words = `${rollup.name} --brand ${brand.slug}${retailer ? ` --retailer ${retailer.slug}` : ''}`;
    super(`There is no ${rollup.name} of ${whose} for ${which || 'this'}.${others}`, {
      hint:
        day === undefined
          ? 'Check the values of --where and --campaign.'
          : `To see why: npx nightshift why ${words} --day ${day}${rollup.keptFrom ? '; events of old days are not kept' : ''}`,
      context: { figure: rollup.name, day },
    });
  }
}

export type Figure = {
  figure: string;
  brand: string;
  retailer: string | null;
  key: Cell['key'];
  row: Cell['row'];
  computed_at: Date | null;
  adds_up: boolean;
  sums: readonly Sum[];
  /** Columns that are no sums; none of them if one column is asked for. */
  others: readonly Other[];
  /** With the version of its object, and the command that explains the part. */
  parts: (Omit<PartRow, 'next'> & { version: Version | null; next: string | null })[];
  /** What is left out of the list. */
  rest: { rows: number; adds: Readonly<Record<string, string>> } | null;
  all_parts: number;
  rates: Rates | null;
  waiting: Waiting[];
  restatements: Restated[];
  closed: ClosedRow | null;
};

export async function explained(db: Db, asked: Asked): Promise<Figure[]> {
  return db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    const { rollup, brand, retailer, owner, partition, key, day } = asked;
    const now = await carriedTo(tx, brand.id, owner);
    const where = {
      brandId: brand.id,
      retailerId: owner,
      partitions: partition === null ? [] : [partition],
      now,
    };
    const periods = await periodsWith(tx, rollup, day); // a day may reach more than those that it is in
    const read = async (of: Key) =>
      (await readCells(tx, rollup, where, of)).filter(
        (cell) =>
          isSomething(cell) &&
          (periods.size === 0 ||
            periods.get(cell.key.period ?? rollup.periods?.kinds[0] ?? '') === cell.key.day),
      );
    const cells = await read(key);
    const whose = retailer === undefined ? brand.slug : `${retailer.slug} of ${brand.slug}`;
    if (cells.length === 0) {
      const others = Object.keys(key).length === 0 ? [] : await read({});
      throw new FigureAbsent(whose, asked, others.slice(0, NAMED_MAX).map(nameOf));
    }
    if (cells.length > CELLS_MAX)
      throw new UsageError(
        `There are ${cells.length} figures of ${rollup.name} of ${whose} there: ${cells.slice(0, NAMED_MAX).map(nameOf).join('; ')}${cells.length > NAMED_MAX ? ' …' : ''}.`,
        'Name one: --where COLUMN=VALUE',
      );
    const figures: Figure[] = [];
    for (const cell of cells) figures.push(await figureOf(tx, asked, where, cell));
    return figures;
  });
}

/** A stored row, or parts that come to something where there is none. */
function isSomething({ row, sums, others }: Cell): boolean {
  return row !== null || [...sums, ...others].some(({ agrees }) => !agrees);
}

/** The values that tell figures of one owner and day apart. */
function nameOf({ key }: Cell): string {
  const own = Object.entries(key).filter(([column]) => column !== 'retailer_id' && column !== 'day');
  return own.map(([column, value]) => `${column}=${value}`).join(' ');
}

async function figureOf(
  tx: Tx,
  { rollup, brand, retailer, column, limit, day, owner }: Asked,
  where: Parameters<typeof readParts>[2],
  cell: Cell,
): Promise<Figure> {
  const brandId = brand.id;
  const { rows, rest } = await readParts(tx, rollup, where, { key: cell.key, column, limit });
  const retailers = await listRetailers(tx, brandId);
  const versions = await versionsOf(tx, brandId, rows);
  const sums = cell.sums.filter((sum) => column === undefined || sum.column === column);
  const others = column === undefined ? cell.others : [];
  return {
    ...{
      figure: rollup.name,
      brand: brand.slug,
      retailer: (retailer ?? ownerOf(cell, retailers))?.slug ?? null,
    },
    ...{ key: cell.key, row: cell.row, computed_at: cell.computedAt },
    ...{ adds_up: [...sums, ...others].every(({ agrees }) => agrees), sums, others },
    parts: rows.map((part) => ({
      ...part,
      version: versions.get(objectOf(part)) ?? null,
      next: part.next && commandOf(part.next, { brand, retailers, retailer, day: cell.key.day }),
    })),
    ...{ rest, all_parts: cell.parts },
    rates: await ratesOf(tx, rollup, brandId, cell),
    waiting: await waitingMarks(tx, rollup, { brandId, retailerId: owner, day: day ?? null }),
    restatements: await restatementsOf(tx, rollup, { brandId, retailerId: owner }, cell.key),
    closed: await closedRowOf(tx, rollup, { brandId, retailerId: owner }, cell.key),
  };
}

/** Of figures of a brand that are told apart by retailer, or by a retailer and the brand itself. */
function ownerOf({ key }: Cell, retailers: readonly Retailer[]): Retailer | undefined {
  return retailers.find(({ id }) => id === key.retailer_id || id === key.owner_id);
}

type Around = {
  brand: Brand;
  retailers: readonly Retailer[];
  retailer: Retailer | undefined;
  day: string | undefined;
};

/** The command that explains a part. */
function commandOf(
  { explain, key }: NonNullable<PartRow['next']>,
  { brand, retailers, retailer, day: ofCell }: Around,
): string {
  const { day = ofCell, retailer_id: owner, ...others } = key;
  const slug = owner === undefined ? retailer?.slug : retailers.find(({ id }) => id === owner)?.slug;
  const where = Object.entries(others).map(([column, value]) => `--where ${quoted(`${column}=${value}`)}`);
  const words = [explain, optionWords({ brand: brand.slug, retailer: slug, day }), ...where];
  return `npx nightshift explain ${words.join(' ')}`;
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w=:./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
