/**
 * What a rollup says of its figures so that they can be explained: which rows of its own query they are made of, and
 * what each adds. The steps of `<name>.sql` are used as they are and only the last select is left out, so nothing is
 * computed a second time in another way.
 */
export type Explanation = {
  parts: readonly Part[];
  /** Columns that no part adds to, and what they are instead. */
  notSums?: Readonly<Record<string, string>>;
  /**
   * SQL that makes the figure of `total`, the sum of what the parts add, where it is not the figure itself. It may use the
   * stored row `c`, and the fresh one `f`.
   */
  settles?: Readonly<Record<string, string>>;
  /** SQL of how far the figure may be from that, because rounding shifts digits between columns. */
  within?: Readonly<Record<string, string>>;
};

/** Rows of one kind. Those with the same id of the same connection are one part, also if two steps bring them. */
export type Part = {
  /** What a row is, in a word: order, refund. */
  is: string;
  /** A step of the query, or a join of steps; `fresh` is the whole query. */
  from: string;
  /** SQL, like all that follows. */
  id: string;
  at?: string;
  /** The connection that brought the row; null if a person did. */
  connection?: string;
  /** The stored object that says so: of which kind in `raw`, and its id if that is not the id of the part. */
  object?: { kind: string; id?: string };
  /** Columns of the grain that the step has under another name, or not at all. */
  key?: Readonly<Record<string, string>>;
  /** What else a person should know of a row. */
  tells?: Readonly<Record<string, string>>;
  /** By column of the figure: what the row adds to it; null is nothing. */
  adds: Readonly<Record<string, string>>;
  /** By column: whether nobody knows what the row adds, and so not the figure either. */
  unknown?: Readonly<Record<string, string>>;
  /** A row is a figure itself, of that rollup: values of its key that are not those of the cell. */
  next?: { explain: string; key?: Readonly<Record<string, string>> };
};

/** Columns that the step calls as the figure does. */
export function same(...columns: readonly string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column) => [column, column]));
}

/** 1 for the first of equal rows, so that rows add up to a count of distinct ones. */
export function first({ of, by, when }: { of: string; by: string; when: string }): string {
  return `case when ${when} and row_number() over (partition by ${of}, ${when} order by ${by}) = 1 then 1 end`;
}

/** 1 if that holds. */
export function one(when: string): string {
  return `case when ${when} then 1 end`;
}

/** The columns of a rollup that keeps rates. */
export const RATE = {
  reporting_currency: 'the reporting currency of the brand',
  fx_rate: 'the rate of the day',
  fx_day: 'the day on which the rate was published',
  fx_cause: 'why there is no rate',
};
