/** Reads figures together with what they are made of. */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { cellsStatement, type Explained, keyOf, partsStatement } from './statement.ts';

/** By column, as text. */
export type Key = Readonly<Record<string, string>>;

export type Sum = {
  column: string;
  /** What the parts add up to; null if a part is not known. */
  parts: string | null;
  /** What is stored; null if nothing is, or if it is not known. */
  cell: string | null;
  agrees: boolean;
};

/** A column that is no sum, as text. */
export type Other = {
  column: string;
  /** What the query of the rollup makes it now. */
  fresh: string | null;
  cell: string | null;
  agrees: boolean;
};

export type Cell = {
  key: Key;
  /** All columns of the stored row, as text; null if there is none. */
  row: Readonly<Record<string, string | null>> | null;
  computedAt: Date | null;
  /** How many parts it has. */
  parts: number;
  sums: Sum[];
  others: Other[];
};

export type PartRow = {
  part: string;
  connection_id: string | null;
  id: string;
  at: Date | null;
  /** The stored object that says so: its kind in `raw`, and its id. */
  kind: string | null;
  object_id: string | null;
  tells: Readonly<Record<string, string | null>> | null;
  adds: Readonly<Record<string, string>>;
  unknown: readonly string[];
  /** The figure that this part is itself. */
  next: { explain: string; key: Key } | null;
};

export type Parts = {
  rows: PartRow[];
  /** What the parts that are left out add up to. */
  rest: { rows: number; adds: Readonly<Record<string, string>> } | null;
};

export type Partitions = {
  brandId: string;
  retailerId: string | null;
  /** Days, or objects in the form of marks. */
  partitions: readonly string[];
  /** Up to which instant states are carried. */
  now: Date;
};

type CellRow = Record<string, unknown> & {
  cell: Cell['row'];
  computed_at: Date | null;
  parts: number;
  sums: Sum[];
  others: Other[];
};

/** The cells of the partitions that have this key, or this part of one. */
export async function readCells(
  tx: Tx,
  rollup: Explained,
  where: Partitions,
  key: Key = {},
): Promise<Cell[]> {
  await followIndexes(tx);
  const { rows } = await tx.query<CellRow>(cellsStatement(rollup), parametersOf(where, key));
  return rows.map(({ cell, computed_at: computedAt, parts, sums, others, ...rest }) => ({
    key: Object.fromEntries(keyOf(rollup).map((column) => [column, String(rest[column])])),
    ...{ row: cell, computedAt, parts, sums, others },
  }));
}

/** The parts of one cell, largest first; of those that add to the column, if one is given. */
export async function readParts(
  tx: Tx,
  rollup: Explained,
  where: Partitions,
  { key, column, limit }: { key: Key; column?: string | undefined; limit: number },
): Promise<Parts> {
  await followIndexes(tx);
  const { rows } = await tx.query<PartRow & { place: number | null; rows: number; as_of: Date | null }>(
    partsStatement(rollup, column),
    [...parametersOf(where, key), limit],
  );
  const shown = rows.filter(({ place }) => place !== null);
  const rest = rows.find(({ place }) => place === null);
  return {
    rows: shown.map(({ place: _, rows: __, as_of: ___, ...row }) => row),
    rest: rest === undefined ? null : { rows: rest.rows, adds: rest.adds },
  };
}

function parametersOf({ brandId, retailerId, partitions, now }: Partitions, key: Key): unknown[] {
  return [brandId, partitions.map(() => retailerId), partitions, now, JSON.stringify(key)];
}
