/**
 * The one door for text that somebody else wrote: what a provider answers, a library throws, a person
 * named. Whatever of it is stored, logged, shown or sent to Sentry goes through here and comes out without
 * keys, personal data and control characters, and never longer than is said.
 */
import { blankOf, shapes } from './shapes.ts';

/** Of one text; what is longer is cut, and says how long it was. */
export const TEXT_CHARS_MAX = 2_000;
/** Of what is quoted within a text of ours, so that our words behind it are not cut off. */
export const QUOTE_CHARS_MAX = 500;
/** Of a value that is named as wrong. */
export const VALUE_CHARS_MAX = 80;
/** A stack repeats the message and those of its causes. */
export const STACK_CHARS_MAX = 10_000;
/** Levels of a value. */
const DEPTH_MAX = 64;
/** A cut may halve an e-mail, whose half looks like nothing: so much before a cut is not kept. */
const CUT_CHARS = 256;

/** Control characters but for tab and line feed, with the sequence that one begins, and what reverses a line. */
const CONTROLS = /(?![\t\n])\p{Cc}(?:\[[0-?]{0,32}[ -/]{0,8}[@-~])?|[\p{Bidi_Control}\u2028\u2029]/gu;

/** The text with every secret and all personal data blanked, at most so long. Done twice it stays the same. */
export function scrub(text: string, charsMax = TEXT_CHARS_MAX): string {
  const isCut = text.length > charsMax;
  const clean = blanked(withoutControls(isCut ? text.slice(0, charsMax + CUT_CHARS) : text));
  if (!isCut && clean.length <= charsMax) return clean;
  const told = `… (${text.length} characters)`;
  return (
    clean
      .slice(0, Math.max(0, Math.min(isCut ? clean.length - CUT_CHARS : charsMax, charsMax - told.length)))
      .toWellFormed() + told
  );
}

/** Words of somebody else within a text of ours: on one line. What is no text is shown as JSON, each text in it clean. */
export function quote(said: unknown, charsMax = QUOTE_CHARS_MAX): string {
  const text = typeof said === 'string' ? said : (JSON.stringify(shallow(said), scrubValue) ?? '');
  return scrub(text, charsMax)
    .replace(/[\t\n]/g, ' ')
    .trim();
}

/** Enough of a value to find it by. What cannot be seen in a text may be what is wrong with it, so something stands there. */
export function shown(value: unknown): string {
  if (typeof value !== 'string') return quote(value ?? 'nothing', VALUE_CHARS_MAX);
  return `"${quote(value.replace(/\p{Cc}/gu, '\ufffd'), VALUE_CHARS_MAX)}"`;
}

/** Every text in it, also under names that never show a value; `stack` may be longer. */
export function scrubValue(name: string, value: unknown): unknown {
  const blank = blankOf(name);
  if (blank && value !== null && value !== undefined) return blank;
  if (typeof value !== 'string') return value;
  return scrub(value, name === 'stack' ? STACK_CHARS_MAX : TEXT_CHARS_MAX);
}

/** The same for whatever JSON can hold. */
export function scrubJson(json: string): string {
  return JSON.stringify(shallow(JSON.parse(json)), scrubValue);
}

/** A copy of it, scrubbed. */
export function scrubbed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(shallow(value ?? null), scrubValue));
}

/** With clean names, and without what is nested deeper than anybody reads: writing it as JSON would overflow the stack. */
function shallow(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  if (depth === DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.map((item) => shallow(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [scrub(name, VALUE_CHARS_MAX), shallow(item, depth + 1)]),
  );
}

/** Nothing that moves a cursor, colours what follows or hides it. */
export function withoutControls(text: string): string {
  return text.replace(CONTROLS, '').toWellFormed();
}

function blanked(text: string): string {
  let clean = text;
  for (const { signs, pattern, blank } of shapes)
    if (signs.some((sign) => clean.includes(sign))) clean = clean.replace(pattern, blank);
  return clean;
}
