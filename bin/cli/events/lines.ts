/** Reads the lines of a file of events as they come, so that a file of any size takes the same memory. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { messageOf } from '#runtime/errors.ts';
import { COLUMNS } from '#sql/events/event.ts';
import { FileMissing, FileUnreadable, reasonOf } from '../shared/read_file.ts';

export const FORMATS = ['ndjson', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** A line with what it says, or what is wrong with it. */
export type Line = { line: number; record?: unknown; fault?: string };

const LINE_CHARS_MAX = 64 * 1024;
const LINES_AT_ONCE = 500;
const KIND = 'a file of events';
const MEND_HINT = 'Mend the file and give it again. Nothing was stored.';

export function formatOf(path: string): Format {
  return path.toLowerCase().endsWith('.csv') ? 'csv' : 'ndjson';
}

/** The lines of a file, or of standard input for `-`, some at a time. */
export async function* linesOf(path: string, stdin: Readable, format: Format): AsyncGenerator<Line[]> {
  const input = path === '-' ? stdin : createReadStream(path);
  try {
    yield* format === 'csv' ? csvLines(input) : jsonLines(input);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FileMissing(path, KIND);
    const isOfText = error instanceof CsvError || error instanceof Unreadable;
    if (!isOfText && !isSystemError(error)) throw error;
    const name = path === '-' ? 'standard input' : basename(path);
    throw new FileUnreadable(name, reasonOf(error), KIND, error, isOfText ? MEND_HINT : undefined);
  }
}

class Unreadable extends Error {}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** Its text, piece by piece; `lines`: how many were read before it. */
async function* decoded(input: Readable, lines: () => number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const text = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      const [before = ''] = Buffer.from(chunk ?? [])
        .toString()
        .split('\ufffd', 1);
      throw new Unreadable(`it is not UTF-8 at or behind line ${lines() + before.split('\n').length}`);
    }
  };
  for await (const chunk of input) yield text(Buffer.from(chunk));
  yield text();
}

async function* jsonLines(input: Readable): AsyncGenerator<Line[]> {
  let [line, rest] = [0, ''];
  const read = (texts: readonly string[]): Line[] => texts.map((text) => jsonLine(text, ++line));
  for await (const piece of decoded(input, () => line)) {
    const texts = (rest + piece).split('\n');
    rest = texts.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX)
      throw new Unreadable(`line ${line + texts.length + 1} is longer than ${LINE_CHARS_MAX} characters`);
    yield read(texts);
  }
  if (rest.trim() !== '') yield read([rest]);
}

function jsonLine(text: string, line: number): Line {
  if (text.trim() === '') return { line };
  try {
    return { line, record: JSON.parse(text) };
  } catch (error) {
    const [, at] = /position (\d{1,6})/.exec(messageOf(error)) ?? [];
    const column = at === undefined ? text.length : Number(at) + 1;
    return { line, fault: `line ${line}, column ${column}: is not JSON` };
  }
}

type Parsed = { record: string[]; info: { lines: number } };

async function* csvLines(input: Readable): AsyncGenerator<Line[]> {
  const parser = parse({
    ...{ bom: true, skip_empty_lines: true, trim: true, info: true },
    max_record_size: LINE_CHARS_MAX,
  });
  pipeline(
    decoded(input, () => parser.info.lines - 1),
    parser,
    () => {},
  ); // who reads from the parser gets the error
  let header: readonly string[] | undefined;
  let lines: Line[] = [];
  for await (const { record, info } of parser as AsyncIterable<Parsed>) {
    if (header === undefined) {
      header = record;
      const strange = record.filter((name, at) => !COLUMNS.includes(name) || record.indexOf(name) !== at);
      if (strange.length > 0)
        throw new Unreadable(
          `line 1: these columns are not known, or twice: ${strange.join(', ')}; there are ${COLUMNS.join(', ')}, with commas between them`,
        );
      continue;
    }
    lines.push(csvLine(header, record, info.lines));
    if (lines.length < LINES_AT_ONCE) continue;
    yield lines;
    lines = [];
  }
  yield lines;
}

/** An empty cell is an absent one. */
function csvLine(header: readonly string[], record: readonly string[], line: number): Line {
  const cells: Record<string, unknown> = {};
  for (const [at, name] of header.entries()) if (record[at]) cells[name] = record[at];
  if (cells.properties === undefined) return { line, record: cells };
  try {
    return { line, record: { ...cells, properties: JSON.parse(String(cells.properties)) } };
  } catch {
    return { line, fault: `line ${line}, properties: is not JSON` };
  }
}
