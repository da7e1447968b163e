import type { Plain } from '../../plain.ts';
import { pseudoRandom, shuffle } from '../../random.ts';
import { parentTail, type RowWriter } from './compile.ts';

const BLOCK_LINES_MAX = 4_000;

/** `root` tells rows of the query's own field from those below them. */
export type Line = { text: string; root: boolean };
type WriterOf = (row: Plain) => RowWriter;

/** Each parent followed directly by its children, as `groupObjects: true` promises. */
export function* groupedLines(rows: readonly Plain[], writerOf: WriterOf): Generator<Line> {
  for (const row of rows) {
    const lines: Line[] = [];
    writeTree(row, writerOf(row), undefined, lines);
    yield* lines;
  }
}

/**
 * Lines in blocks, each shuffled, and one in eight held back to a later block: without grouping
 * children need not follow their parent, and a reader that relies on it has to fail here.
 */
export function* ungroupedLines(rows: readonly Plain[], writerOf: WriterOf): Generator<Line> {
  const next = pseudoRandom(1);
  let block: Line[] = [];
  for (const row of rows) {
    writeTree(row, writerOf(row), undefined, block);
    if (block.length < BLOCK_LINES_MAX) continue;
    shuffle(block, next);
    const heldBack = block.length >> 3;
    yield* block.slice(heldBack);
    block = block.slice(0, heldBack);
  }
  shuffle(block, next);
  yield* block;
}

function writeTree(row: Plain, writer: RowWriter, parent: Plain | undefined, into: Line[]): void {
  into.push({ text: writer.open(row) + (parent ? parentTail(parent) : '}'), root: parent === undefined });
  for (const { rows, writerOf } of writer.children) {
    for (const child of rows(row)) writeTree(child, writerOf(child), row, into);
  }
}
