/** Columns of Shopify's objects. */
import { type Column, column, columnsOf } from '../../kit/columns.ts';
import * as fields from '../../kit/fields.ts';
import { idOf } from './gid.ts';

export const id = column('text', (node) => idOf(node));
export const text = columnsOf('text', fields.text);
export const textOrNull = columnsOf('text', fields.textOrNull);
/** Shopify writes an empty text where nothing was entered. */
export const textIfAny = columnsOf('text', (node, key) => fields.text(node, key) || null);
export const flag = columnsOf('boolean', fields.flag);
export const integerText = columnsOf('integer', fields.integerText);
export const currency = columnsOf('text', fields.currency);
export const amount = columnsOf('numeric', fields.amount);
export const instant = columnsOf('timestamptz', fields.instant);

/** The column of the object that the field `key` holds. */
export function within(key: string, inner: Column): Column {
  const { read } = inner;
  if (!read) return inner;
  return { ...inner, read: (node) => fields.under(key, () => read(fields.object(node, key))) };
}
