/**
 * Wraps text to the width of a terminal, between words only: a wider address or name stays in one piece, so that it
 * can be copied. A command after a colon continues behind a backslash, so that it can be pasted; a semicolon or comma
 * ends it.
 */
import { stripVTControlCharacters } from 'node:util';

type Stream = { isTTY?: boolean; columns?: number };

/** Narrower widths are not believed: some terminals report 0. */
const WIDTH_MIN = 20;
const HANGING = 2;
const CONTINUED = ' \\';

/** The width of the terminal; none in a pipe, where lines are data. */
export function widthOf({ isTTY, columns = 0 }: Stream): number {
  return isTTY && columns >= WIDTH_MIN ? columns : Number.POSITIVE_INFINITY;
}

export function visibleLength(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** The lines of a text, each at most `width` wide; later lines are indented a little more than the first. */
export function wrapped(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => (visibleLength(line) <= width ? [line] : broken(line, width)));
}

function broken(line: string, width: number): string[] {
  const indent = ' '.repeat((/^ */.exec(line)?.[0].length ?? 0) + HANGING);
  const lines: string[] = [];
  let current = '';
  let isCommand = false;
  let before = '';
  for (const word of line.trimEnd().split(/(?<=[^ ])(?= )/)) {
    if (/[;,]$/.test(before)) isCommand = false;
    const room = width - (isCommand ? CONTINUED.length : 0);
    if (current.trim() === '' || visibleLength(current + word) <= room) current += word;
    else {
      lines.push(isCommand ? current + CONTINUED : current);
      current = indent + word.trimStart();
    }
    isCommand ||= word.trim() === 'npx' && before.endsWith(':');
    before = word.trim();
  }
  return [...lines, current];
}
