import type { Source, StripeObject } from './objects.ts';

/** One object of a list that is held in memory; `at` makes it when it is asked for. */
export type Row = {
  readonly id: string;
  readonly created: number;
  /** Values by which rows are looked up; a field that is missing here is searched for. */
  readonly keys?: Readonly<Record<string, string>>;
  at(now: number, back: 0 | 1): StripeObject | undefined;
};

/** A source over rows. `indexed` are the fields of `keys` that every row of this kind fills in. */
export function rowSource(given: readonly Row[], indexed: readonly string[] = []): Source {
  const rows = [...given].sort((left, right) => left.created - right.created); // stable: ties keep order
  const positions = new Map(rows.map((row, position) => [row.id, position]));
  const indexes = new Map<string, Map<string, number[]>>();

  const indexOf = (field: string): Map<string, number[]> => {
    let index = indexes.get(field);
    if (!index) {
      index = new Map();
      for (const [position, { keys }] of rows.entries()) {
        const value = keys?.[field];
        if (value === undefined) continue;
        const found = index.get(value);
        if (found) found.push(position);
        else index.set(value, [position]);
      }
      indexes.set(field, index);
    }
    return index;
  };

  return {
    length: rows.length,
    idAt: (position) => rows[position]?.id ?? '',
    createdAt: (position) => rows[position]?.created ?? 0,
    objectAt: (position, now, back = 0) => rows[position]?.at(now, back),
    positionOf: (id) => positions.get(id),
    positionsWhere: (field, value) =>
      indexed.includes(field) ? (indexOf(field).get(value) ?? []) : undefined,
  };
}

export const NOTHING: Source = rowSource([], ['payout', 'source', 'charge', 'customer']);
