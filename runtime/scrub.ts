/**
 * Scrubs foreign text: answers of providers, errors of libraries, names that people gave. Everything of it that is
 * stored, logged, shown or sent to Sentry passes through here, which removes keys, personal data and control
 * characters and limits its length.
 */
import { blankOf, shapes } from './shapes.ts';

/** Of one text; a longer one is cut, with its length. */
export const TEXT_CHARS_MAX = 2_000;
/** Of a quotation within our own text, so that our words behind it are not cut off. */
export const QUOTE_CHARS_MAX = 500;
/** Of a value that a message shows as wrong. */
export const VALUE_CHARS_MAX = 80;
/** A stack repeats the message and those of its causes. */
export const STACK_CHARS_MAX = 10_000;
/** Nesting depth of a value. */
const DEPTH_MAX = 64;
/** A cut may halve an e-mail address, and no pattern knows a half: so many characters before a cut are dropped. */
const CUT_CHARS = 256;

/**
 * Control characters except tab and line feed, with the escape sequence that one begins, and characters that reverse a
 * line.
 */
const CONTROLS = /(?![\t\n])\p{Cc}(?:\[[0-?]{0,32}[ -/]{0,8}[@-~])?|[\p{Bidi_Control}\u2028\u2029]/gu;

/** The text with all secrets and personal data blanked, at most `charsMax` long. Idempotent. */
export function scrub(text: string, charsMax = TEXT_CHARS_MAX): string {
  const isCut = text.length > charsMax;
  const clean = blanked(withoutControls(isCut ? text.slice(0, charsMax + CUT_CHARS) : text));
  if (!isCut && clean.length <= charsMax) return clean;
  const length = `… (${text.length} characters)`;
  return (
    clean
      .slice(0, Math.max(0, Math.min(isCut ? clean.length - CUT_CHARS : charsMax, charsMax - length.length)))
      .toWellFormed() + length
  );
}

/** Quotes foreign text within our own, on one line. Other values are shown as JSON, with each text in it scrubbed. */
export function quote(said: unknown, charsMax = QUOTE_CHARS_MAX): string {
  const text = typeof said === 'string' ? said : (JSON.stringify(shallow(said), scrubValue) ?? '');
  return scrub(text, charsMax)
    .replace(/[\t\n]/g, ' ')
    .trim();
}

/** Enough of a value to find it. An invisible character may be the fault, so a visible sign replaces it. */
export function shown(value: unknown): string {
  if (typeof value !== 'string') return quote(value ?? 'nothing', VALUE_CHARS_MAX);
  return `"${quote(value.replace(/\p{Cc}/gu, '\ufffd'), VALUE_CHARS_MAX)}"`;
}

/** Scrubs every text in it and blanks fields with telling names; `stack` may be longer. */
export function scrubValue(name: string, value: unknown): unknown {
  const blank = blankOf(name);
  if (blank && value !== null && value !== undefined) return blank;
  if (typeof value !== 'string') return value;
  return scrub(value, name === 'stack' ? STACK_CHARS_MAX : TEXT_CHARS_MAX);
}

/** The same for any JSON value. */
export function scrubJson(json: string): string {
  return JSON.stringify(shallow(JSON.parse(json)), scrubValue);
}

/** A copy of it, scrubbed. */
export function scrubbed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(shallow(value ?? null), scrubValue));
}

/** Scrubs names too, and drops what is nested too deeply: JSON.stringify would overflow the stack. */
function shallow(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  if (depth === DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.map((item) => shallow(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [scrub(name, VALUE_CHARS_MAX), shallow(item, depth + 1)]),
  );
}

/** Removes what moves a cursor, colours what follows or hides it. */
export function withoutControls(text: string): string {
  return text.replace(CONTROLS, '').toWellFormed();
}

function blanked(text: string): string {
  let clean = text;
  for (const { signs, pattern, blank } of shapes)
    if (signs.some((sign) => clean.includes(sign))) clean = clean.replace(pattern, blank);
  return clean;
}
