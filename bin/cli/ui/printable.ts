/**
 * All output to a terminal passes through here. Foreign names and answers may move the cursor, hide text or write
 * into the clipboard, so only our own styles pass.
 */
import { withoutControls } from '#runtime/scrub.ts';

const ESCAPE = '\u001b';
/** Bold, dim, red, green, yellow and their resets. */
const STYLE = /^\[(?:1|2|22|31|32|33|39)m/;

/** A line of our own that may contain foreign text. */
export function printable(line: string): string {
  const [start = '', ...pieces] = line.split(ESCAPE);
  const clean = pieces.map((piece) =>
    STYLE.test(piece) ? ESCAPE + withoutControls(piece) : withoutControls(ESCAPE + piece),
  );
  return withoutControls(start) + clean.join('');
}

/** JSON without loss: characters that JSON allows but that act on a terminal are escaped. */
export function printableJson(value: unknown): string {
  const escaped = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escaped);
}
