/** Reads a file of exchange rates that is named on the command line; `-` is standard input. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { BYTES_MAX } from '#connectors/ecb/read_rates.ts';
import { coded, messageOf } from '#runtime/errors.ts';

export class RateFileUnreadable extends coded('NS_FX_FILE_UNREADABLE') {
  constructor(name: string, reason: string, cause?: unknown) {
    super(`${name} cannot be read: ${reason}.`, {
      hint: 'Give the name of a file of the ECB (XML, CSV, or either as zip or gzip), or - for standard input',
      context: { name },
      cause,
    });
  }
}

export class RateFileMissing extends coded('NS_FX_FILE_MISSING') {
  constructor(path: string) {
    super(`There is no file ${path}.`, {
      hint: 'Give the name of a file of the ECB, or - for standard input',
      context: { path },
    });
  }
}

export type RateFile = { name: string; bytes: Buffer };

export async function readRateFile(path: string, stdin: Readable): Promise<RateFile> {
  const name = path === '-' ? 'standard input' : basename(path);
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of path === '-' ? stdin : createReadStream(path)) {
      size += piece.length;
      if (size > BYTES_MAX) throw new RateFileUnreadable(name, `it is larger than ${BYTES_MAX} bytes`);
      pieces.push(Buffer.from(piece));
    }
  } catch (error) {
    if (error instanceof RateFileUnreadable) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new RateFileMissing(path);
    throw new RateFileUnreadable(path, messageOf(error), error);
  }
  return { name, bytes: Buffer.concat(pieces) };
}
