/**
 * What the loader must know of a `raw` table. A stream writes one root table and any number of child
 * tables; a root row and its children are one item with one version, and load or stay as a whole.
 */
import type { Subject } from '../dirty/subject.ts';

export type ColumnType =
  | 'text'
  | 'text[]'
  | 'boolean'
  | 'integer'
  | 'numeric'
  | 'date'
  | 'timestamptz'
  | 'jsonb';

/** A value as `toRows` gives it. Amounts are decimal text, never numbers. */
export type Value = string | number | boolean | Date | null | readonly string[] | Json;
export type Json = { readonly [key: string]: unknown } | readonly unknown[];
export type Row = Record<string, Value | undefined>;

/**
 * `history`: dated rows such as costs. The last key column is the instant from which a row holds. A row that
 * says what the newest earlier one says already is not stored, and none is tombstoned for being absent.
 *
 * The others are root tables without objects of a version, written by `dated_rows.ts`:
 *
 * `events`: what happened, once and for good. A row that is there is left as it is.
 * `days`: figures that the provider gives for a calendar day, a `date` in the key. A later reading of the
 * same day replaces what differs.
 * `counters`: readings of figures that only ever add up. The last key column is the instant of the reading;
 * what was added since the reading before falls on its day. A reading that adds nothing is not stored.
 */
export type Keeps = 'history' | 'events' | 'days' | 'counters';

export type Table = {
  name: `raw.${string}`;
  /** Columns after (brand_id, connection_id) that make the primary key; `id` in most tables. */
  key: readonly string[];
  /** Without brand_id, connection_id, changed_at, seen_at and deleted_at, which the loader writes. */
  columns: Readonly<Record<string, ColumnType>>;
  /** Of a child: the column that holds the id of its root row. */
  rootColumn?: string;
  /** Text columns that stand in an index, besides the key, the root and those that end in `_id`. */
  indexed?: readonly string[];
  /**
   * Any change of the item marks what each of these columns names, as a change of the subject: an instant its
   * brand-local day, a date itself, a text the object of that id.
   */
  marks?: Readonly<Record<string, Subject>>;
  /** What of its objects it keeps; absent: each as it is now, with its version. */
  keeps?: Keeps;
  /** Columns that say how we came to know a row: another value alone makes no other row. */
  uncompared?: readonly string[];
  /**
   * Columns that the provider empties when what they name is deleted elsewhere. A null in them says that
   * it has forgotten, not that there never was anything: what is stored stays.
   */
  remembers?: readonly string[];
  /**
   * Of a root whose provider gives no version, so that `changedAt` is the instant of our request: a
   * newer one with the same content is then no change and rewrites nothing.
   */
  observed?: boolean;
  /**
   * Of a root whose table has a column `digest uuid`: an item that says just what it said when its rows
   * were last written is known by that, and no row of it is compared. Nobody but the loads of this root
   * may write its rows or those below it.
   */
  digested?: boolean;
};

export function table(definition: Table): Table {
  return definition;
}

/** One object of the provider, ready to load. */
export type Item = {
  /** Id of the root row. */
  id: string;
  /** The provider's version of the object, else the instant at which our request for it was sent. */
  changedAt: Date;
  /** Rows by table name. A table that is absent was not read: its stored children are left alone. */
  rows: Readonly<Record<string, readonly Row[]>>;
};

/** An object that the provider says is gone. An older version of it never revives it. */
export type Deletion = { id: string; deletedAt: Date };
