/**
 * Columns, written once: a line says the type that a column has in the database and how its value is read
 * from the provider's record. The table of the loader and the row of a record both come from it.
 */
import type { Subject } from '#sql/dirty/marks.ts';
import { type ColumnType, type Row, type Table, table, type Value } from '#sql/load/table.ts';
import { type Fields, payloadOf } from './fields.ts';

type ColumnOptions = {
  /** What a change of the record is a change of, on the day of this instant. */
  marks?: Subject;
  /** It stands in an index. */
  indexed?: true;
};

export type Column = ColumnOptions & {
  type: ColumnType;
  /** Throws `InvalidField`. Absent where the row gets it from elsewhere. */
  read?: (record: Fields) => Value;
};

export type Columns = Readonly<Record<string, Column>>;

export function column(type: ColumnType, read: (record: Fields) => Value, options?: ColumnOptions): Column {
  return { type, read, ...options };
}

/** Columns of one type that are read from one field each: `text('status')`. */
export function columnsOf(type: ColumnType, read: (record: Fields, key: string) => Value) {
  return (key: string, options?: ColumnOptions): Column =>
    column(type, (record) => read(record, key), options);
}

/** A column that the record itself does not tell. */
export function given(type: ColumnType): Column {
  return { type };
}

/** Everything but what is left out: rows of their own, secrets, who the buyer is. */
export function rest(leftOut: ReadonlySet<string> = NOTHING): Column {
  return column('jsonb', (record) => payloadOf(record, leftOut));
}

const NOTHING: ReadonlySet<string> = new Set();

export type RecordTable = Table & {
  /** The row of a record, but for the columns that are given. */
  rowOf(record: Fields): Row;
};

export function recordTable({
  columns,
  ...definition
}: Omit<Table, 'columns' | 'days' | 'indexed'> & { columns: Columns }): RecordTable {
  const all = Object.entries(columns);
  const readers = all.flatMap(([name, { read }]) => (read ? [[name, read] as const] : []));
  return {
    ...table({
      ...definition,
      columns: Object.fromEntries(all.map(([name, { type }]) => [name, type])),
      indexed: all.flatMap(([name, { indexed }]) => (indexed ? [name] : [])),
      days: Object.fromEntries(all.flatMap(([name, { marks }]) => (marks ? [[name, marks]] : []))),
    }),
    rowOf(record) {
      const row: Row = {};
      for (const [name, read] of readers) row[name] = read(record);
      return row;
    },
  };
}
