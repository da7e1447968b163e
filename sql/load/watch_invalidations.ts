/** Queries the pairs of sql/load/invalidations.ts before and after a write, and marks those that differ. */

import type { Tx } from '../db/pool.ts';
import { type Mark, objectOf } from '../dirty/marks.ts';
import type { Invalidation } from './invalidations.ts';
import type { PackedItem } from './pack.ts';
import { rootColumnOf, rowsWhere, statement } from './statements.ts';
import type { Table } from './table.ts';

export type Asking = {
  brandId: string;
  connectionId: string;
  timeZone: string;
  tables: readonly Table[];
  dependents: readonly Invalidation[];
};

export type Touched = {
  /** Stored roots that change. */
  ids: ReadonlySet<string>;
  /** Items that will be stored. */
  items: readonly PackedItem[];
  /** Tables with changed rows. */
  tables: ReadonlySet<Table>;
};

/** What depends on a key: a day, or an object of the connection. */
type Pair = { day?: string; object?: string };

/** Called before the write; what it returns is called after it. */
export async function watchInvalidations(
  tx: Tx,
  asking: Asking,
  touched: Touched,
): Promise<() => Promise<Mark[]>> {
  const watched = asking.dependents.flatMap((dependents) => {
    const table = asking.tables.find(({ name }) => name === dependents.table);
    return table !== undefined && touched.tables.has(table) ? [{ dependents, table }] : [];
  });
  const before: { dependents: Invalidation; keys: string[]; pairs: Map<string, Pair> }[] = [];
  for (const { dependents, table } of watched) {
    const keys = await keysOf(tx, asking, touched, dependents, table);
    before.push({ dependents, keys, pairs: await pairsOf(tx, asking, dependents, keys) });
  }
  return async () => {
    const marks: Mark[] = [];
    for (const { dependents, keys, pairs } of before) {
      const after = await pairsOf(tx, asking, dependents, keys);
      const { subject } = dependents;
      const mark = ({ day, object }: Pair) =>
        marks.push({ subject, day, object: object && objectOf(asking.connectionId, object) });
      for (const [key, pair] of pairs) if (!after.has(key)) mark(pair);
      for (const [key, pair] of after) if (!pairs.has(key)) mark(pair);
    }
    return marks;
  };
}

async function keysOf(
  tx: Tx,
  { brandId, connectionId }: Asking,
  { ids, items }: Touched,
  dependents: Invalidation,
  table: Table,
): Promise<string[]> {
  const { column } = dependents;
  const keys = new Set(items.flatMap((item) => item.keys.get(dependents) ?? []));
  if (ids.size > 0) {
    const { rows } = await tx.query<{ key: string }>({
      ...statement(`
        select distinct o.${column} as key
        from unnest($3::text[]) as w (id)
        cross join lateral (${rowsWhere(table.name, rootColumnOf(table))}) o
        where o.${column} is not null`),
      values: [brandId, connectionId, [...ids]],
    });
    for (const { key } of rows) keys.add(key);
  }
  return [...keys];
}

async function pairsOf(
  tx: Tx,
  { brandId, connectionId, timeZone }: Asking,
  { pairs, names }: Invalidation,
  keys: readonly string[],
): Promise<Map<string, Pair>> {
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query<Pair & { key: string }>({
    ...pairs,
    values: [brandId, connectionId, keys, ...(names === 'object' ? [] : [timeZone])],
  });
  return new Map(rows.map(({ key, day, object }) => [`${key} ${day ?? object}`, { day, object }]));
}
