/**
 * The output of a command. Data goes to stdout: NDJSON with --json, a table on a terminal, lines of
 * tab-separated values otherwise. Everything else goes to stderr, so that a pipe gets data only. A terminal
 * gets lines that fit it.
 */
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { withoutControls } from '#runtime/scrub.ts';
import { printable, printableJson } from './printable.ts';
import { visibleLength, widthOf, wrapped } from './wrap.ts';

export type Row = Readonly<Record<string, unknown>>;

export type Output = {
  json: boolean;
  /** Rows of one kind. A person sees `columns`; JSON has every field. */
  list(rows: readonly Row[], columns: readonly string[]): void;
  /** One object. A person sees `lines`. */
  record(record: Row, lines: () => readonly string[]): void;
  /** A message for the person, never data. */
  say(line: string): void;
};

export type Stream = Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean; columns?: number; rows?: number };

export function makeOutput(
  json: boolean,
  stdout: Stream = process.stdout,
  stderr: Stream = process.stderr,
): Output {
  const print = (line: string) => stdout.write(`${line}\n`);
  return {
    json,
    list(rows, columns) {
      if (json) for (const row of rows) print(printableJson(row));
      else if (stdout.isTTY)
        print(rows.length === 0 ? dim('(none)') : tableOf(rows, columns, widthOf(stdout)));
      else
        for (const cells of [columns, ...rows.map((row) => cellsOf(row, columns))]) print(cells.join('\t'));
    },
    record(record, lines) {
      if (json) print(printableJson(record));
      else
        for (const line of lines()) for (const part of wrapped(printable(line), widthOf(stdout))) print(part);
    },
    // A line of JSON stays one.
    say: (line) => {
      for (const part of json ? [printable(line)] : wrapped(printable(line), widthOf(stderr)))
        stderr.write(`${part}\n`);
    },
  };
}

/** Styles are for terminals only: none in a pipe, none with NO_COLOR. */
export const bold = (text: string) => styleText('bold', text, { stream: process.stdout });
export const dim = (text: string) => styleText('dim', text, { stream: process.stdout });
export const green = (text: string) => styleText('green', text, { stream: process.stdout });
export const red = (text: string) => styleText('red', text, { stream: process.stdout });
export const yellow = (text: string) => styleText('yellow', text, { stream: process.stdout });

/** A table if it fits; else one with its last, most telling column in several lines; else row by row. */
function tableOf(rows: readonly Row[], columns: readonly string[], width: number): string {
  const whole = table(rows, columns);
  const excess = widest(whole) - width;
  if (excess <= 0) return whole;
  const last = widest(table(rows, columns.slice(-1))) - excess;
  const words = rows.flatMap((row) => cellsOf(row, columns.slice(-1)).flatMap((cell) => cell.split(' ')));
  const isTooNarrow = last < LAST_WIDTH_MIN || words.some((word) => visibleLength(word) > last);
  if (isTooNarrow) return rows.map((row) => card(row, columns, width)).join('\n\n');
  return table(rows, columns, last);
}

const LAST_WIDTH_MIN = 24;
const VALUE_WIDTH_MIN = 10;
const GAP = 2;

function widest(text: string): number {
  return Math.max(...text.split('\n').map((line) => visibleLength(line.trimEnd())));
}

/** A row on lines of its own, a value a line. */
function card(row: Row, columns: readonly string[], width: number): string {
  const names = columns.map((column) => column.replaceAll('_', ' '));
  const room = Math.max(...names.map((name) => name.length)) + GAP;
  return cellsOf(row, columns)
    .flatMap((cell, at) => {
      if (cell === '') return [];
      const [first = '', ...more] = wrapped(cell, Math.max(width - room, VALUE_WIDTH_MIN)).map((line) =>
        line.trim(),
      );
      return [bold((names[at] ?? '').padEnd(room)) + first, ...more.map((line) => ' '.repeat(room) + line)];
    })
    .join('\n');
}

function table(rows: readonly Row[], columns: readonly string[], lastWidth?: number): string {
  const rightAligned = columns.map((column) => rows.every((row) => isNumberLike(row[column])));
  const drawn = new Table({
    head: columns.map((column) => bold(column.replaceAll('_', ' '))),
    colAligns: rightAligned.map((right) => (right ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
    ...(lastWidth !== undefined && {
      colWidths: columns.map((_, at) => (at === columns.length - 1 ? lastWidth + GAP : null)),
      wordWrap: true,
    }),
    chars: Object.fromEntries(borders.map((border) => [border, ''])),
  });
  for (const row of rows) drawn.push(cellsOf(row, columns));
  return drawn.toString();
}

const borders = [
  ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
  ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
];

function cellsOf(row: Row, columns: readonly string[]): string[] {
  return columns.map((column) => cellOf(row[column]));
}

/**
 * Always one line: a tab or a line break in a value would shift the later columns, an escape sequence would do worse.
 */
export function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return instant(value);
  if (Array.isArray(value)) return value.map(cellOf).join(', ');
  if (typeof value === 'object') return printableJson(value);
  return withoutControls(String(value).replace(/[\t\r\n]+/g, ' '));
}

/** To the second, in UTC. */
export function instant(value: Date): string {
  return value.toISOString().replace(/\.\d+Z$/, 'Z');
}

function isNumberLike(value: unknown): boolean {
  return (
    typeof value === 'number' || value === null || (typeof value === 'string' && /^-?[\d,.]+$/.test(value))
  );
}
