/** Reads a file that is named on the command line, up to a size; `-` is standard input. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { coded, messageOf } from '#runtime/errors.ts';

export class FileUnreadable extends coded('NS_FILE_UNREADABLE') {
  constructor(
    name: string,
    reason: string,
    kind: string,
    cause?: unknown,
    hint = `Give the name of ${kind}, or - for standard input`,
  ) {
    super(`${name} cannot be read: ${reason}.`, {
      hint,
      context: { name },
      cause,
    });
  }
}

export class FileMissing extends coded('NS_FILE_MISSING') {
  constructor(path: string, kind: string) {
    super(`There is no file ${path}.`, {
      hint: `Give the name of ${kind}, or - for standard input`,
      context: { path },
    });
  }
}

/** In words, where Node's own are not. */
export function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === 'EISDIR' ? 'it is a directory' : messageOf(error);
}

export type ReadFile = { name: string; bytes: Buffer };

/** `kind` says what is wanted, as in "a file of the ECB". */
export async function readFileOf(
  path: string,
  stdin: Readable,
  { kind, bytesMax }: { kind: string; bytesMax: number },
): Promise<ReadFile> {
  const name = path === '-' ? 'standard input' : basename(path);
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of path === '-' ? stdin : createReadStream(path)) {
      size += piece.length;
      if (size > bytesMax) throw new FileUnreadable(name, `it is larger than ${bytesMax} bytes`, kind);
      pieces.push(Buffer.from(piece));
    }
  } catch (error) {
    if (error instanceof FileUnreadable) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FileMissing(path, kind);
    throw new FileUnreadable(path, reasonOf(error), kind, error);
  }
  return { name, bytes: Buffer.concat(pieces) };
}
