/** How values of PostgreSQL are parsed, where this differs from pg's defaults. */
import pg from 'pg';
import { coded } from '#runtime/errors.ts';

export class NumberTooLarge extends coded('NS_NUMBER_TOO_LARGE') {
  constructor(text: string) {
    super(`The bigint ${text} does not fit into a JavaScript number.`, {
      hint: 'Select it as text or as numeric.',
      context: { value: text },
    });
  }
}

const { DATE, INT8, NUMERIC, TIMESTAMP } = pg.types.builtins;
const arrays = { text: 1009, int8: 1016, numeric: 1231, date: 1182, timestamp: 1115 };

const asText = (text: string) => text;
const textArray: (text: string) => (string | null)[] = pg.types.getTypeParser(arrays.text, 'text');

const parsers: Record<number, (text: string) => unknown> = {
  [INT8]: safeInteger,
  [arrays.int8]: (text) => textArray(text).map((item) => (item === null ? null : safeInteger(item))),
  // Text, because a Date would shift a day by the local time zone and a float would lose digits.
  [NUMERIC]: asText,
  [DATE]: asText,
  [TIMESTAMP]: asText,
  [arrays.numeric]: textArray,
  [arrays.date]: textArray,
  [arrays.timestamp]: textArray,
};

export const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    (format === 'binary' ? undefined : parsers[oid]) ?? pg.types.getTypeParser(oid, format),
};

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new NumberTooLarge(text);
  return value;
}
