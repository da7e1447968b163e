/**
 * A rollup brings one `agg` table up to date for exactly the partitions it is given: (retailer, day) pairs, or
 * others that it declares. It says what the rows of these are: `<name>.sql` selects them for the rows of `wanted`,
 * which are the pairs with the bounds of their days ($1 is the brand, $4 the instant of the run). merge.ts makes
 * the rest of the statement.
 */
import { coded } from '#runtime/errors.ts';
import type { Subject } from '../dirty/subject.ts';

export type Rollup = {
  /** Also the name of its `.sql`, and the subject of marks of days on which its rows have changed. */
  name: string;
  /** What the statement reads beside `app` and its own table; a test holds it against the text. */
  reads: readonly `${'fact' | 'raw' | 'agg'}.${string}`[];
  writes: `agg.${string}`;
  /** The primary key of the table that it writes. */
  grain: readonly string[];
  /** Its other columns, except the instant at which a row was written: what makes a row another one. */
  measures: readonly string[];
  /**
   * Whose its rows are: of each retailer, if not said, or of the brand as a whole. It reads rollups of the same.
   * Rates that move and days that begin are noticed for retailers only.
   */
  of?: 'brand';
  /**
   * Its partitions are objects of connections and not days: the column of their ids, beside `connection_id`. In
   * `wanted` they are (connection_id, object). `<name>.objects.sql` selects those that belong to days, which somebody
   * wants to be made anew, as (connection_id, object) out of `wanted` and `spans` of these days.
   */
  object?: string;
  /** Its days are the first ones of periods, such as weeks: which one a `day` falls into, and which follows it, as SQL. */
  period?: { first: string; next: string };
  /** It runs for the days, or objects, of marks of these subjects; names of rollups among them are those whose tables it reads. */
  changesWith: readonly Subject[];
  /**
   * Other rollups read its table: they run for the partitions of which rows were written or deleted, or else for
   * the days that `<name>.touched.sql` selects out of `stored`, the rows as they were, and `fresh`.
   */
  handsOn?: 'changes' | 'query';
  /**
   * Its figures of a day are those of states at its end: rows of a table that hold from one instant until another.
   * So they change with the day although nothing else does, and marks of `calendar` carry them on.
   */
  carries?: { states: `agg.${string}`; from: string; until: string };
  /** Its rows keep the rate, its day and its cause that `fact.exchange_rate` gave: rates that move mark their days. */
  keepsRates?: boolean;
  /** Rows that a person should know of: a column, how the tally of a run calls its sum, and what the log says. */
  counts?: { column: string; as: string; warning: string };
  /** The text of `<name>.sql`. */
  fresh: string;
  /** The text of `<name>.touched.sql`. */
  changed?: string;
  /** The text of `<name>.objects.sql`. */
  objects?: string;
  /** The whole statement. */
  sql: string;
  /** The statement that gives the objects of days, as marks name them. */
  objectsSql?: string;
};

export class RollupOrderImpossible extends coded('NS_ROLLUP_ORDER') {
  constructor(names: readonly string[]) {
    super(`These rollups wait for one another or for one that does not exist: ${names.join(', ')}.`, {
      hint: 'Correct `reads` in their descriptors in sql/rollups/.',
      context: { names },
    });
  }
}

/** Every rollup after those whose tables it reads, otherwise in the order given. */
export function inOrder(rollups: readonly Rollup[]): Rollup[] {
  const tables = new Map<string, Rollup>(rollups.map((rollup) => [rollup.writes, rollup]));
  const ordered: Rollup[] = [];
  const waiting = [...rollups];
  while (waiting.length > 0) {
    const ready = waiting.findIndex(({ reads }) =>
      reads.every((table) => !table.startsWith('agg.') || ordered.includes(tables.get(table) as Rollup)),
    );
    if (ready < 0) throw new RollupOrderImpossible(waiting.map(({ name }) => name));
    ordered.push(...waiting.splice(ready, 1));
  }
  return ordered;
}
