/**
 * The one door to a terminal. Names and answers of others may hold what moves the cursor, hides text or
 * writes into the clipboard: of all that acts on a terminal only our own styles get through.
 */
import { withoutControls } from '#runtime/scrub.ts';

const ESCAPE = '\u001b';
/** Bold, dim, red, green, yellow and their ends. */
const STYLE = /^\[(?:1|2|22|31|32|33|39)m/;

/** A line of ours, in which there may be words of others. */
export function printable(line: string): string {
  const [start = '', ...pieces] = line.split(ESCAPE);
  const clean = pieces.map((piece) =>
    STYLE.test(piece) ? ESCAPE + withoutControls(piece) : withoutControls(ESCAPE + piece),
  );
  return withoutControls(start) + clean.join('');
}

/** JSON that loses nothing: what JSON itself leaves as it is, but acts on a terminal, is escaped as well. */
export function printableJson(value: unknown): string {
  const escaped = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escaped);
}
