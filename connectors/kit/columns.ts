/**
 * Declares each column once: a line gives its type in the database and how its value is read from the provider's
 * record. The table of the loader and the row of a record both come from it.
 */
import type { Subject } from '#sql/dirty/subject.ts';
import { type ColumnType, type Row, type Table, table, type Value } from '#sql/load/table.ts';
import { type Fields, payloadOf, restOf } from './fields.ts';

type ColumnOptions = {
  /**
   * The subject that a change of the record marks: on the day of this instant or date, or for the object of this id.
   */
  marks?: Subject;
  /** Whether an index contains it. */
  indexed?: true;
  /** The fields of the record that it holds completely; `others` leaves them out. */
  fields?: readonly string[];
};

/** `Of`: what the record itself does not contain, such as the id of its parent. */
export type Column<Of = unknown> = ColumnOptions & {
  type: ColumnType;
  /** Throws `InvalidField`. `read`: the fields that columns of the table are read from. */
  read: (record: Fields, of: Of, read: ReadonlySet<string>) => Value;
};

export type Columns<Of = unknown> = Readonly<Record<string, Column<Of>>>;

export function column<Of = unknown>(
  type: ColumnType,
  read: Column<Of>['read'],
  options?: ColumnOptions,
): Column<Of> {
  return { type, read, ...options };
}

/** Makes columns of one type, each read from one field: `text('status')`. */
export function columnsOf<Of = unknown>(
  type: ColumnType,
  read: (record: Fields, key: string, of: Of) => Value,
) {
  return (key: string, options?: ColumnOptions): Column<Of> =>
    column(type, (record, of: Of) => read(record, key, of), { fields: [key], ...options });
}

/** The record without the fields that are left out: rows of their own, secrets, personal data. */
export function rest(leftOut: ReadonlySet<string> = NOTHING): Column {
  return column('jsonb', (record) => payloadOf(record, leftOut));
}

/** Null if each field is a column; else the record without the fields that are left out. */
export function others(leftOut: (record: Fields) => ReadonlySet<string> = () => NOTHING): Column {
  return column('jsonb', (record, _, read) => restOf(record, read, leftOut(record)));
}

/** The payload of rows that have columns only. */
export const noPayload = column('jsonb', () => null);

const NOTHING: ReadonlySet<string> = new Set();

export type RecordTable<Of = void> = Table & {
  /** The fields of the record that its columns are read from. */
  fields: ReadonlySet<string>;
  /** The row of a record. */
  rowOf(record: Fields, of: Of): Row;
};

export function recordTable<Of = void>({
  columns,
  ...definition
}: Omit<Table, 'columns' | 'marks' | 'indexed'> & { columns: Columns<NoInfer<Of>> }): RecordTable<Of> {
  const all = Object.entries(columns);
  return {
    ...table({
      ...definition,
      columns: Object.fromEntries(all.map(([name, { type }]) => [name, type])),
      indexed: all.flatMap(([name, { indexed }]) => (indexed ? [name] : [])),
      marks: Object.fromEntries(all.flatMap(([name, { marks }]) => (marks ? [[name, marks]] : []))),
    }),
    fields: new Set(all.flatMap(([, { fields = [] }]) => fields)),
    rowOf: rowMaker(columns),
  };
}

/**
 * Compiles a function that makes the row as one object literal. Assigning the columns one by one costs ten times as
 * much, and a first load makes a million rows.
 */
function rowMaker<Of>(columns: Columns<Of>): RecordTable<Of>['rowOf'] {
  const all = Object.entries(columns);
  const readers = all.map(([, { read }]) => read);
  const fields = new Set(all.flatMap(([, { fields = [] }]) => fields));
  const cells = all.map(([name], index) => `${JSON.stringify(name)}: readers[${index}](record, of, fields)`);
  return new Function('readers', 'fields', `return (record, of) => ({ ${cells.join(', ')} });`)(
    readers,
    fields,
  );
}
