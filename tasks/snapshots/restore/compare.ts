/** Compares a snapshot with what is live. Only parts whose hashes differ are restored, into scratch tables. */
import type { Db, Tx } from '#sql/db/pool.ts';
import {
  type Compared,
  type Difference,
  differenceOf,
  type MoneyDifference,
  moneyOf,
} from '#sql/snapshots/differences.ts';
import { type Part, readParts } from '#sql/snapshots/parts.ts';
import { type Scratch, withScratch } from '#sql/snapshots/scratch.ts';
import type { Manifest } from '../manifest.ts';
import { type Filling, fill } from './fill.ts';
import { fitting, type Held } from './fitting.ts';

export type TableDifference = Difference & { compared: Compared; live: Part[]; money: MoneyDifference[] };

export type Comparing = Filling & {
  db: Pick<Db, 'transaction'>;
  content: Manifest;
  limitSeconds: number;
  /** Only some of its tables. */
  isWanted?: (table: string) => boolean;
};

/** At one instant; changes nothing. */
export function compareLive(options: Comparing): Promise<TableDifference[]> {
  const { db, content, limitSeconds, isWanted = () => true } = options;
  return withScratch(db, limitSeconds, async (tx, scratch) =>
    compare(
      tx,
      scratch,
      (await fitting(tx, content)).filter(({ table }) => isWanted(table.name)),
      options,
    ),
  );
}

/** Tables that differ; their rows that may differ are in the scratch tables then. */
export async function compare(
  tx: Tx,
  scratch: Scratch,
  held: readonly Held[],
  options: Filling,
): Promise<TableDifference[]> {
  const { brandId, signal, progress } = options;
  const found: TableDifference[] = [];
  let done = 0;
  for (const { table, parts } of held) {
    signal?.throwIfAborted();
    const live = await readParts(tx, table, brandId);
    const theirs = without(parts, live.parts);
    const ours = without(live.parts, parts);
    if (theirs.length + ours.length > 0) {
      await fill(tx, scratch, [{ table, parts: theirs }], { ...options, progress: undefined });
      const compared = { scratch, table, brandId, only: live.condition(ours) };
      const difference = await differenceOf(tx, compared);
      found.push({ ...difference, compared, live: live.parts, money: await moneyOf(tx, compared) });
    }
    progress?.({ parts: ++done, of: held.length });
  }
  return found;
}

/** Those that are not in `others` with the same rows. */
function without<P extends Part>(parts: readonly P[], others: readonly Part[]): P[] {
  const nameOf = ({ part, rows, rowHash }: Part) => `${part} ${rows} ${rowHash}`;
  const known = new Set(others.map(nameOf));
  return parts.filter((part) => !known.has(nameOf(part)));
}
