/**
 * Shows progress on stderr. A terminal gets a block of lines that is redrawn in place; other outputs get each line
 * when it changes, at most every few seconds.
 */
import type { Stream } from './output.ts';
import { printable } from './printable.ts';
import { widthOf, wrapped } from './wrap.ts';

const PLAIN_INTERVAL_MS = 5_000;
const DEFAULT_WIDTH = 100;
const DEFAULT_HEIGHT = 24;

export type Progress = Disposable & {
  /** Takes the current state and decides what of it to show. */
  show(lines: readonly string[]): void;
  /** Prints a permanent line. */
  note(line: string): void;
};

export function startProgress(stream: Stream = process.stderr): Progress {
  return stream.isTTY ? redrawn(stream) : plain(stream);
}

function redrawn(stream: Stream): Progress {
  let drawn: readonly string[] = [];
  const erase = () => (drawn.length > 0 ? `\u001b[${drawn.length}A\u001b[0J` : '');
  const draw = (lines: readonly string[]) => {
    const width = stream.columns ?? DEFAULT_WIDTH;
    const height = stream.rows ?? DEFAULT_HEIGHT;
    // A line that wraps or has scrolled away cannot be erased.
    const fitting = lines.slice(0, height - 2).map((line) =>
      printable(line)
        .replaceAll('\n', ' ')
        .slice(0, width - 1),
    );
    stream.write(erase() + fitting.map((line) => `${line}\n`).join(''));
    drawn = fitting;
  };
  return {
    show: draw,
    note(line) {
      stream.write(`${erase()}${wrapped(printable(line), widthOf(stream)).join('\n')}\n`);
      const block = drawn;
      drawn = [];
      draw(block);
    },
    [Symbol.dispose]() {
      stream.write(erase());
      drawn = [];
    },
  };
}

function plain(stream: Stream): Progress {
  let shown = new Set<string>();
  let nextAt = performance.now() + PLAIN_INTERVAL_MS; // shorter work shows no progress
  return {
    show(lines) {
      if (performance.now() < nextAt) return;
      nextAt = performance.now() + PLAIN_INTERVAL_MS;
      for (const line of lines) if (!shown.has(line)) stream.write(`${printable(line)}\n`);
      shown = new Set(lines);
    },
    note: (line) => stream.write(`${printable(line)}\n`),
    [Symbol.dispose]() {},
  };
}
