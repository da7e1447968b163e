import { createReadStream } from 'node:fs';
import { relative } from 'node:path';
import { createInterface } from 'node:readline';
import { isPlain } from './plain.ts';
import { ScenarioError } from './scenario_error.ts';

/** A JSON object while it is being read and completed. */
export type Draft = Record<string, unknown>;

/** Where something stands, for messages: file, line and the way to the field. */
export class Place {
  readonly file: string;
  readonly line: number;
  readonly path: string;

  constructor(file: string, line: number, path = '') {
    this.file = file;
    this.line = line;
    this.path = path;
  }

  below(step: string): Place {
    return new Place(this.file, this.line, this.path ? `${this.path}.${step}` : step);
  }

  fail(problem: string): never {
    throw new ScenarioError(this.toString(), problem);
  }

  toString(): string {
    return `${this.file}:${this.line}${this.path ? ` ${this.path}` : ''}`;
  }
}

/** The objects of an NDJSON file, each with its place; empty lines are passed over. */
export async function* readNdjson(dir: string, file: string): AsyncGenerator<{ value: Draft; place: Place }> {
  const name = relative(dir, file);
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    line++;
    if (text.trim() === '') continue;
    const place = new Place(name, line);
    yield { value: parseLine(text, place), place };
  }
}

function parseLine(text: string, place: Place): Draft {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    place.fail(`this line is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isPlain(value)) place.fail('this line is not a JSON object');
  return value as Draft;
}
