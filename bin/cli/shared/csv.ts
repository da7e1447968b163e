/** Reads CSV with a header. All faults are reported at once, each with line and column, and nothing of such a file is used. */
import { isUtf8 } from 'node:buffer';
import { CsvError, parse } from 'csv-parse/sync';
import type { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import { quote, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { count } from '../ui/format.ts';
import type { ReadFile } from './read_file.ts';

/** Faults that a message names. */
export const NAMED_MAX = 20;
const ROWS_MAX = 1_000_000;

export class FileInvalid extends coded('NS_FILE_INVALID') {
  /** `total`: how many there are, if not all are given. */
  constructor(name: string, faults: readonly string[], hint: string, total = faults.length) {
    const more = total > NAMED_MAX ? [`and ${total - NAMED_MAX} more`] : [];
    const said = [...faults.slice(0, NAMED_MAX), ...more];
    const [only] = said;
    super(
      `${name} cannot be taken:${said.length === 1 ? ` ${only}.` : said.map((one) => `\n  ${one}`).join('')}`,
      {
        hint: `${hint} Nothing was stored.`,
        context: { name, faults: total },
      },
    );
  }
}

/** What to do about lines that say what cannot be. */
export const LINES_HINT = 'Mend these lines and give the file again.';

/** What to do about a file whose columns are not right. */
export function columnsHint(columns: readonly string[]): string {
  return `The first line names the columns, with commas between them: ${columns.join(',')}.`;
}

/** What came of a file that was taken. */
export function linesStored(
  name: string,
  { lines, changed, dryRun }: { lines: number; changed: number; dryRun?: boolean | undefined },
): string {
  if (lines === 0) return `${name} has no lines below its first one: nothing changes.`;
  const unchanged = lines - changed;
  if (changed === 0) return `${count(lines, 'line')} of ${name}, all stored before: nothing changes.`;
  const rest = unchanged > 0 ? `; ${count(unchanged, 'line')} stored before` : '';
  return `${dryRun ? 'Would store' : 'Stored'} ${count(changed, 'line')} of ${name}${rest}.`;
}

/** A row of the file, with the number of its line. */
export type Line<T> = T & { line: number };

/** The rows of a file as `shape` reads them. Columns that it does not know are faults, because a name may be misspelt. */
export function readCsv<T extends z.ZodRawShape>(
  { name, bytes }: ReadFile,
  shape: z.ZodObject<T>,
): Line<z.output<z.ZodObject<T>>>[] {
  const columns = Object.keys(shape.shape);
  const refuse = (faults: readonly string[]) => new FileInvalid(name, faults, columnsHint(columns));
  const rows = parsed(bytes, refuse);
  const header = rows[0]?.record;
  if (header === undefined) throw refuse(['it is empty']);
  const strange = header.filter((column, at) => !columns.includes(column) || header.indexOf(column) !== at);
  if (strange.length > 0)
    throw refuse(
      strange.map((column) => `line 1: column ${quote(column, VALUE_CHARS_MAX)} is not known, or twice`),
    );
  const faults: string[] = [];
  const lines = rows.slice(1).flatMap(({ record, line }) => {
    // An empty cell is an absent one, so that what may be left out may be left empty.
    const cells = header.flatMap((column, at) => (record[at] ? [[column, record[at]] as const] : []));
    const { success, data, error } = shape.safeParse(Object.fromEntries(cells));
    if (success) return [{ ...data, line }];
    for (const { path, message } of error.issues) {
      const column = String(path[0]);
      const given = record[header.indexOf(column)];
      faults.push(`line ${line}, ${column}${given ? ` ${quote(given, VALUE_CHARS_MAX)}` : ''}: ${message}`);
    }
    return [];
  });
  if (faults.length > 0) throw new FileInvalid(name, faults, LINES_HINT);
  return lines;
}

type Parsed = { record: string[]; line: number };

function parsed(bytes: Buffer, refuse: (faults: string[]) => FileInvalid): Parsed[] {
  const options = { bom: true, skip_empty_lines: true, trim: true, info: true, to: ROWS_MAX + 2 } as const;
  if (!isUtf8(bytes)) throw refuse(['it is no text in UTF-8']);
  let found: { record: string[]; info: { lines: number } }[];
  try {
    found = parse(bytes, options) as unknown as typeof found;
  } catch (error) {
    if (error instanceof CsvError) throw refuse([`line ${String(error.lines ?? '?')}: ${error.message}`]);
    throw error;
  }
  if (found.length > ROWS_MAX + 1) throw refuse([`it has more than ${ROWS_MAX} lines`]);
  return found.map(({ record, info }) => ({ record, line: info.lines }));
}
