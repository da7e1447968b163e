/**
 * Describes a `raw` table for the loader. A stream writes one root table and any number of child tables; a root row and
 * its children are one item with one version, and load together or not at all.
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

/** A value of a row. Amounts are decimal text, never numbers. */
export type Value = string | number | boolean | Date | null | readonly string[] | Json;
export type Json = { readonly [key: string]: unknown } | readonly unknown[];
export type Row = Record<string, Value | undefined>;

/**
 * `history`: dated rows such as costs. The last key column is the instant from which a row holds. A row with
 * the same content as the newest earlier one is not stored, and absent rows are not tombstoned.
 *
 * The others are root tables without objects of a version, written by `dated_rows.ts`:
 *
 * `events`: what happened, and never changes. An existing row stays as it is.
 * `days`: figures that the provider gives for a calendar day, a `date` in the key. A later reading of the
 * same day replaces what differs.
 * `counters`: readings of figures that only ever add up. The last key column is the instant of the reading;
 * what was added since the reading before falls on its day. A reading that adds nothing is not stored.
 */
export type Keeps = 'history' | 'events' | 'days' | 'counters';

/** Where the rows of a table name persons; and what of them goes when the person is erased. */
export type Personal = {
  /** Columns that name the person: by an id that its connection gives it, or by the digest of its address. */
  of?: readonly { column: string; as: 'customer' | 'email' }[];
  /** Rows of these tables that a column names by their `id`: what is theirs is of their person. */
  through?: { column: string; tables: readonly `raw.${string}`[] };
  /** Columns, of the key too, that contain what `of` has. */
  within?: readonly string[];
  /** Columns that are emptied. */
  empties?: readonly string[];
  /**
   * Paths of the payload, such as `discounts` or `customer.discount`, that figures rest on. All else of it goes: a field
   * that nobody knew when this was written cannot be left behind.
   */
  keeps?: readonly string[];
};

export type Table = {
  name: `raw.${string}`;
  /** Columns after (brand_id, connection_id) that make the primary key; `id` in most tables. */
  key: readonly string[];
  /** Without brand_id, connection_id, changed_at, seen_at and deleted_at, which the loader writes. */
  columns: Readonly<Record<string, ColumnType>>;
  /** Of a child: the column that holds the id of its root row. */
  rootColumn?: string;
  /** Indexed text columns, besides the key, the root and those that end in `_id`. */
  indexed?: readonly string[];
  /**
   * Any change of the item marks the partition of each of these columns with the subject: an instant marks its
   * brand-local day, a date itself, a text the object of that id.
   */
  marks?: Readonly<Record<string, Subject>>;
  /**
   * Of `events`: an instant also marks the days that its day of the account's own zone meets, because what they are
   * made of depends on whether anything happened on it.
   */
  marksAccountDays?: boolean;
  /**
   * The column that holds the part (`app.connection_parts`) of a brand's connection that a row is of, or a list of all
   * such parts.
   */
  partColumn?: string;
  /** A row is also of the parts of the row that it names: `by` holds its id in another table, which has a part column. */
  partsAlsoOf?: { by: string; table: `raw.${string}` };
  /** What it keeps of its objects; by default the current state with its version. */
  keeps?: Keeps;
  /**
   * Of `history`: of rows before the month that the rule of the brand still keeps (`ops.retention_rules`), the last one of each
   * object (`id`) stays, and the others go. The subject marks the objects.
   */
  rolledUp?: { rule: string; marks: Subject };
  /** Columns about how a row was read: a change of these alone does not count. */
  uncompared?: readonly string[];
  /**
   * Columns that the provider empties when the object that they refer to is deleted. A null in them does not mean that
   * there never was a value: the stored value stays.
   */
  remembers?: readonly string[];
  /**
   * For a root without versions of the provider, so that `changedAt` is the instant of our request: a newer one with
   * the same content is then not a change and rewrites nothing.
   */
  observed?: boolean;
  /**
   * For a root whose table has a column `digest uuid`: an item with the same content as when its rows were last written
   * is recognised by it, and its rows are not compared. Only loads of this root may write its rows and those of its
   * children.
   */
  digested?: boolean;
  /** Null: nothing in it is of a person. Children are of the person of their root. */
  personal: Personal | null;
};

export function table(definition: Table): Table {
  return definition;
}

/** One object of the provider, ready to load. */
export type Item = {
  /** Id of the root row. */
  id: string;
  /** The provider's version of the object, else the instant of our request. */
  changedAt: Date;
  /** Rows by table name. A table that is absent was not read: its stored children are left alone. */
  rows: Readonly<Record<string, readonly Row[]>>;
};

/** An object that the provider reports as deleted. An older version never revives it. */
export type Deletion = { id: string; deletedAt: Date };
