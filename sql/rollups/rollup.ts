/**
 * A rollup brings one `agg` table up to date for exactly the partitions it is given: (retailer, day) pairs, or
 * others that it declares. `<name>.sql` selects their rows for the rows of `wanted`, which are the pairs
 * with the bounds of their days ($1 is the brand, $4 the instant of the run). merge.ts generates the rest of the
 * statement.
 */
import { coded } from '#runtime/errors.ts';
import type { Subject } from '../dirty/subject.ts';
import type { Explanation } from '../explain/explanation.ts';
import type { Cause } from './causes.ts';

export type Periods = {
  /** With several kinds in one table, its grain has the kind, as `period`. Weeks are those of ISO 8601. */
  kinds: readonly ('day' | 'week' | 'month')[];
  /** SQL for a day before `p.day`, the marked one, or null: all periods from that of this day on are computed too. */
  since?: string;
  /** So are so many periods after that of the marked day. */
  ahead?: number;
};

export type Rollup = {
  /** Also the name of its `.sql`, and the subject of marks of days on which its rows have changed. */
  name: string;
  /** What the statement reads besides `app` and its own table; a test compares it with the text. */
  reads: readonly `${'fact' | 'raw' | 'agg'}.${string}`[];
  writes: `agg.${string}`;
  /** The primary key of the table that it writes. */
  grain: readonly string[];
  /** Its other columns, except the instant at which a row was written. A row has changed if one of these differs. */
  measures: readonly string[];
  /**
   * The owner of its rows: each retailer by default, or the brand as a whole. A rollup of the brand may read those of its
   * retailers: what they change is marked for the brand, whose rollups run in a job of their own.
   */
  of?: 'brand';
  /**
   * Its partitions are objects of connections and not days: the column of their ids, beside `connection_id`. In
   * `wanted` they are (connection_id, object). `<name>.objects.sql` selects the objects of days that are to be
   * rebuilt, as (connection_id, object) from `wanted` and `spans` of these days.
   */
  object?: string;
  /**
   * Marks of these subjects, among those of `changesWith`, are of days. `<name>.days.sql` selects the objects that they reach,
   * in the form of `<name>.objects.sql`.
   */
  followsDays?: readonly Subject[];
  /**
   * A column of the brand with the instant from which all facts are still there; days that begin before it are not computed
   * any more, and their rows stay.
   */
  keptFrom?: 'events_from';
  /** Its days are the first days of periods, such as weeks. */
  periods?: Periods;
  /**
   * It runs for the days or objects of marks with these subjects, which include the names of rollups whose tables it
   * reads.
   */
  changesWith: readonly Subject[];
  /** Marks of these become marks that it follows only once others are computed: until then its days are not complete. */
  waitsFor?: readonly Subject[];
  /**
   * Other rollups read its table: they run for the partitions with written or deleted rows, or for the days that
   * `<name>.touched.sql` selects from `stored`, the old rows, and `fresh`.
   */
  handsOn?: 'changes' | 'query';
  /**
   * Only while this condition of SQL holds, of brand $1, is anything handed on to rollups of the brand. What makes it true
   * locks the row of the brand (`for no key update`) and marks what they need of all that was before.
   */
  toBrandIf?: string;
  /** Objects that its changed rows name, or named before, are marked beside its partitions. */
  names?: readonly Named[];
  /**
   * Marks of these subjects, among those of `changesWith`, name something else than its objects. `<name>.<subject>.sql`
   * selects the objects that it reaches, as (connection_id, object) for the marks $2 text[]; they are marked `as` that
   * subject, and computed by the next claim. So a mark says what has changed, and what it reaches is looked up when
   * everything that committed before the claim can be seen.
   */
  exchanges?: { as: Subject; subjects: readonly Subject[] };
  /**
   * `<name>.proof.sql` selects sums of `fresh` beside others that they must equal, as (day, currency, expected, found).
   * They are stored in `ops.figure_checks`.
   */
  isProved?: boolean;
  /**
   * Its figures of a day are those of states at the end of the day: rows of a table that are valid from one instant
   * until another. They change with the day even if nothing else does, so marks of `calendar` carry them on.
   */
  carries?: { states: `agg.${string}`; from: string; until: string };
  /** Its rows keep rate, day and cause of `fact.exchange_rate`: changed rates mark their days. */
  keepsRates?: boolean;
  /** Rows that a person should know of: a column, the name of its sum in the tally, and the log message. */
  counts?: { column: string; as: string; warning: string };
  /**
   * What made a row differ, where its marks do not say it: the first cause whose condition of SQL holds of the stored
   * row `s` and the fresh row `f`.
   */
  causes?: Partial<Record<Cause, string>>;
  /** Columns that change for a cause of their own. */
  causesOfColumns?: Readonly<Record<string, Cause>>;
  /** Numbers that do not add, such as ranks and ratios: their changes are no restatements. */
  nonAdditive?: readonly string[];
  /** It holds what others tell, as a step to them, a sum of them or a forecast from them: its changes are no restatements of their own. */
  isIntermediate?: boolean;
  /** Which rows its figures are made of, for `nightshift explain`; or why they are no sums. */
  explains?: Explanation | string;
  /** The text of `<name>.sql`. */
  fresh: string;
  /** The text of `<name>.touched.sql`. */
  changed?: string;
  /** The text of `<name>.objects.sql`. */
  objects?: string;
  /** The text of `<name>.days.sql`. */
  reachedByDays?: string;
  /** The whole statement. */
  sql: string;
  /** The statement that returns the objects of days, in the form of marks. */
  objectsSql?: string;
  /** Likewise for the objects that marks of days reach. */
  daysSql?: string;
  /** By subject, the text of `<name>.<subject>.sql`. */
  reached?: Readonly<Record<Subject, string>>;
  /** The text of `<name>.proof.sql`. */
  proof?: string;
};

/** Objects of the row's connection, whose ids are in a column, for rollups of the brand or of the row's retailer. */
export type Named = { column: string; as: Subject; of: 'brand' | 'retailer' };

export class RollupOrderImpossible extends coded('NS_ROLLUP_ORDER') {
  constructor(names: readonly string[]) {
    super(`These rollups wait for one another or for one that does not exist: ${names.join(', ')}.`, {
      hint: 'Correct `reads` in their descriptors in sql/rollups/.',
      context: { names },
    });
  }
}

/** Sorts each rollup after those whose tables it reads, otherwise in the given order. */
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
