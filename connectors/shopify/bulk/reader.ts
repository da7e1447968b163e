/**
 * Reads the result file of a bulk operation in batches. A batch ends with a complete object, and reading continues at
 * its file offset after a crash. A truncated or damaged file is requested again from the last batch; a file is complete
 * only if it has as many objects as announced.
 */
import { coded } from '#runtime/errors.ts';
import type { Http } from '../../kit/http/http.ts';
import { RetryableError } from '../../kit/http/retry.ts';
import type { Node, Shape } from '../sync/collection.ts';
import { openAt } from './download.ts';
import { BulkUngrouped, type Group, LineDamaged, lineCutter, makeGrouper } from './lines.ts';

/** Lines of a batch: about as many rows in one transaction. */
export const BATCH_LINES = 5_000;
const CUTS_MAX = 3;

export type Mark = { offset: number; lines: number; roots: number };
/** `batchLines` is for tests. */
export type ResultFile = { url: string; lines: number; roots: number; batchLines?: number };
/** The results of a batch, and its end. */
export type Batch<T> = { results: readonly T[]; mark: Mark };

/** Converts each object as soon as it is complete, so that no other copy stays in memory. */
export type Reader<T> = { http: Http; shape: Shape; make(node: Node): T };

export class BulkResultCut extends coded('NS_BULK_RESULT_CUT') {
  constructor(reason: string, mark: Mark, file: ResultFile) {
    super(`The result of a bulk operation ended early ${CUTS_MAX} times at the same place: ${reason}.`, {
      hint: 'Nothing to do: the next attempt starts a new bulk operation. What was read so far is stored.',
      context: { offset: mark.offset, lines: mark.lines, linesAnnounced: file.lines },
    });
  }
}

/** More lines than announced, or another number of root objects: only a new operation can help. */
export class ResultContradictory extends coded('NS_BULK_RESULT_CONTRADICTORY') {
  constructor({ lines, roots }: Mark, file: ResultFile) {
    const found = `${lines} lines with ${roots} root objects`;
    const announced = `${file.lines} with ${file.roots}`;
    super(`The result of a bulk operation has ${found} or more objects, but ${announced} are announced.`, {
      hint: 'Nothing to do: the next attempt starts a new bulk operation.',
      context: { lines, roots, linesAnnounced: file.lines, rootsAnnounced: file.roots },
    });
  }
}

/** The batches behind `start`, to the end of the file. */
export async function* readResult<T>(
  reader: Reader<T>,
  file: ResultFile,
  start: Mark,
): AsyncGenerator<Batch<T>> {
  let mark = start;
  for (let cuts = 0; mark.lines < file.lines; ) {
    let reason = `${file.lines} objects are announced`;
    try {
      for await (const batch of readOnce(reader, file, mark)) {
        yield batch;
        mark = batch.mark;
        cuts = 0; // progress resets the count
      }
      if (mark.lines === file.lines) break;
    } catch (error) {
      if (!isCut(error)) throw error;
      reason = error instanceof RetryableError ? error.failure.message : error.message;
    }
    if (++cuts >= CUTS_MAX) throw new BulkResultCut(`${reason}, ${mark.lines} were read`, mark, file);
  }
}

function isCut(error: unknown): error is Error {
  return error instanceof LineDamaged || error instanceof RetryableError;
}

/** Yields complete batches only: the last one comes only if the file is as long as announced. */
async function* readOnce<T>(reader: Reader<T>, file: ResultFile, start: Mark): AsyncGenerator<Batch<T>> {
  const { http, shape, make } = reader;
  const { url, batchLines = BATCH_LINES } = file;
  const grouper = makeGrouper(shape);
  let mark = start; // behind the last batch
  let reached = start; // behind the last whole object
  let results: T[] = [];
  let hasChildren = file.lines === file.roots;
  const add = ({ node, lines, end }: Group) => {
    results.push(make(node));
    reached = { offset: end, lines: reached.lines + lines, roots: reached.roots + 1 };
    if (reached.lines > file.lines || reached.roots > file.roots)
      throw new ResultContradictory(reached, file);
    if (lines > 1) hasChildren = true;
  };
  const cutter = lineCutter(start.offset, (text, end) => {
    const complete = grouper.take(text, end);
    if (complete) add(complete);
  });
  const take = (): Batch<T> => {
    const batch = { results, mark: reached };
    results = [];
    mark = reached;
    return batch;
  };

  for await (const piece of await openAt(http, url, start.offset)) {
    cutter.push(piece);
    if (reached.lines - mark.lines < batchLines) continue;
    // If all objects seem to have no children, the children come after all of them.
    if (!hasChildren) throw new BulkUngrouped('every child', 'by a whole batch');
    yield take();
  }
  cutter.finish();
  const last = grouper.last();
  if (last) add(last);
  if (reached.lines !== file.lines) return;
  if (reached.roots !== file.roots) throw new ResultContradictory(reached, file);
  if (reached !== mark) yield take();
}
