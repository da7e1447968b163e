/**
 * Compares a snapshot with what is live, or with another one. Only parts that differ are read from the store, into scratch
 * tables.
 */
import type { Db, Tx } from '#sql/db/pool.ts';
import {
  besideEachOther,
  besideLive,
  type Compared,
  type Difference,
  differenceOf,
  type MoneyDifference,
  moneyOf,
} from '#sql/snapshots/differences.ts';
import { type Part, readParts } from '#sql/snapshots/parts.ts';
import { dropScratch, makePassing, type Scratch, sumOf, withScratch } from '#sql/snapshots/scratch.ts';
import type { Manifest, ManifestTable } from '../manifest.ts';
import { type ErasingAgain, eraseAgain, movesParts, readErasures, type Since } from './erase_again.ts';
import { type Filling, fill } from './fill.ts';
import { fitting, type Held } from './fitting.ts';

/** What a table has, in whatever parts. */
export type Sum = Pick<Part, 'rows' | 'rowHash'>;
/** The one is the snapshot, the other what is live. `wanted`: the snapshot without whom the brand has erased since. */
export type TableDifference = Difference & { compared: Compared; live: Part[]; wanted: Sum };
export type Reported<T> = T & { money: MoneyDifference[] };
export type TwoDifference = Reported<Difference & { table: string }>;

export type Comparing = Filling &
  ErasingAgain & {
    db: Pick<Db, 'transaction'>;
    content: Manifest;
    limitSeconds: number;
    /** Only some of its tables. */
    isWanted?: (table: string) => boolean;
  };

/** At one instant; changes nothing. */
export function compareLive(options: Comparing): Promise<Reported<TableDifference>[]> {
  const { db, content, limitSeconds, isWanted = () => true } = options;
  return withScratch(db, limitSeconds, async (tx, scratch) => {
    const held = (await fitting(tx, content)).filter(({ table }) => isWanted(table.name));
    const reported: Reported<TableDifference>[] = [];
    const since = await readErasures(tx, options, new Date(content.created_at));
    for (const one of await compare(tx, scratch, held, { ...options, ...since }))
      reported.push({ ...one, money: await moneyOf(tx, besideLive(one.compared)) });
    return reported;
  });
}

type Filled = Held & Pick<TableDifference, 'compared' | 'live'> & { equal: readonly Part[] };

/**
 * Tables that differ; their rows that may differ are in the scratch tables then. Whom the brand has erased since is erased
 * from these first: a person does not come back, and is no difference.
 */
export async function compare(
  tx: Tx,
  scratch: Scratch,
  held: readonly Held[],
  options: Filling & ErasingAgain & Pick<Since, 'erasures'>,
): Promise<TableDifference[]> {
  const filled: Filled[] = [];
  for (const one of held) {
    const differing = await fillDiffering(tx, scratch, one, options);
    if (differing !== undefined) filled.push(differing);
    options.progress?.({ parts: filled.length, of: held.length });
  }
  const names = filled.map(({ table }) => table.name);
  await eraseAgain(tx, scratch, names, options);
  const found: TableDifference[] = [];
  for (const { compared, live, equal, parts } of filled) {
    const difference = await differenceOf(tx, besideLive(compared));
    const { onlyOne, onlyOther, changed } = difference;
    if (onlyOne + onlyOther + changed === 0) continue;
    const kept = options.erasures.length > 0 ? [await sumOf(tx, scratch, compared.table)] : parts;
    found.push({ ...difference, compared, live, wanted: summed([...kept, ...equal]) });
  }
  return found;
}

async function fillDiffering(
  tx: Tx,
  scratch: Scratch,
  { table, columns, parts }: Held,
  options: Filling & ErasingAgain & Pick<Since, 'erasures'>,
): Promise<Filled | undefined> {
  const { brandId, providers, erasures, signal } = options;
  signal?.throwIfAborted();
  const live = await readParts(tx, table, brandId);
  const theirs = without(parts, live.parts);
  const ours = without(live.parts, parts);
  if (theirs.length + ours.length === 0) return undefined;
  const isWhole = erasures.length > 0 && movesParts(table, providers);
  const read = isWhole ? parts : theirs;
  await fill(tx, scratch, [{ table, columns, parts: read }], { ...options, progress: undefined });
  const only = isWhole ? 'true' : live.condition(ours);
  const equal = isWhole ? [] : parts.filter((part) => !theirs.includes(part));
  return {
    table,
    columns,
    parts: read,
    live: live.parts,
    equal,
    compared: { scratch, table, brandId, only },
  };
}

export function summed(parts: readonly Sum[]): Sum {
  return {
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    rowHash: String(parts.reduce((sum, { rowHash }) => sum + BigInt(rowHash), 0n)),
  };
}

export type ComparingTwo = Filling & {
  db: Pick<Db, 'transaction'>;
  one: Manifest;
  other: Manifest;
  limitSeconds: number;
};

/** Of the tables that both have. */
export function compareTwo(options: ComparingTwo): Promise<TwoDifference[]> {
  const { db, one, other, limitSeconds, signal, progress } = options;
  const [mine, theirs] = [differing(one, other), differing(other, one)];
  return withScratch(db, limitSeconds, async (tx, scratch) => {
    const beside = await makePassing(tx);
    const held = await fitting(tx, mine);
    const ofOther = new Map((await fitting(tx, theirs)).map((one) => [one.table.name, one]));
    const found: TwoDifference[] = [];
    for (const [at, mine] of held.entries()) {
      const { table } = mine;
      signal?.throwIfAborted();
      const quiet = { ...options, progress: undefined };
      await fill(tx, scratch, [mine], quiet);
      await fill(tx, beside, [ofOther.get(table.name) ?? { ...mine, parts: [] }], quiet);
      const sides = besideEachOther(table, scratch, beside);
      found.push({
        ...{ table: table.name, ...(await differenceOf(tx, sides)) },
        money: await moneyOf(tx, sides),
      });
      progress?.({ parts: at + 1, of: held.length });
    }
    await dropScratch(tx, beside);
    return found.filter(({ onlyOne, onlyOther, changed }) => onlyOne + onlyOther + changed > 0);
  });
}

/** What is left of a snapshot without the files that the other has too: tables that both have, and only where they differ. */
function differing(content: Manifest, other: Manifest): Manifest {
  const theirs = new Map(other.tables.map((table) => [table.name, namesIn(table)]));
  const tables = content.tables.flatMap((table) => {
    const [ours, known] = [namesIn(table), theirs.get(table.name)];
    if (known === undefined || ours.symmetricDifference(known).size === 0) return [];
    return [{ ...table, parts: table.parts.filter(({ name }) => !known.has(name)) }];
  });
  return { ...content, tables };
}

function namesIn({ parts }: ManifestTable): Set<string> {
  return new Set(parts.map(({ name }) => name));
}

/** Those that are not in `others` with the same rows. */
function without<P extends Part>(parts: readonly P[], others: readonly Part[]): P[] {
  const nameOf = ({ part, rows, rowHash }: Part) => `${part} ${rows} ${rowHash}`;
  const known = new Set(others.map(nameOf));
  return parts.filter((part) => !known.has(nameOf(part)));
}
