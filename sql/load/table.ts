/**
 * What the loader must know of a `raw` table. A stream writes one root table and any number of child
 * tables; a root row and its children are one item with one version, and load or stay as a whole.
 */
import type { Subject } from '../dirty/marks.ts';

export type ColumnType = 'text' | 'text[]' | 'boolean' | 'integer' | 'numeric' | 'timestamptz' | 'jsonb';

/** A value as `toRows` gives it. Amounts are decimal text, never numbers. */
export type Value = string | number | boolean | Date | null | readonly string[] | Json;
export type Json = { readonly [key: string]: unknown } | readonly unknown[];
export type Row = Record<string, Value | undefined>;

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
  /** Timestamp columns: any change of the item marks the brand-local day of each, as a change of the subject. */
  days?: Readonly<Record<string, Subject>>;
  /**
   * Dated rows such as costs: the last key column is the instant from which a row holds. A row that
   * says what the newest earlier one says already is not stored, and none is tombstoned for being absent.
   */
  keepsHistory?: boolean;
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
