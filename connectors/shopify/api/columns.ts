/** Columns of Shopify's objects. */
import { type Column, column, columnsOf } from '../../kit/columns.ts';
import * as fields from '../../kit/fields.ts';
import { idOf, idWithin, idWithinOrNull } from './gid.ts';

export const id = column('text', (node) => idOf(node), { fields: ['id'] });
export const text = columnsOf('text', fields.text);
export const textOrNull = columnsOf('text', fields.textOrNull);
/** Shopify writes an empty text if nothing was entered. */
export const textIfAny = columnsOf('text', (node, key) => fields.text(node, key) || null);
export const texts = columnsOf('text[]', fields.texts);
export const flag = columnsOf('boolean', fields.flag);
export const integer = columnsOf('integer', fields.integer);
export const integerOrNull = columnsOf('integer', fields.integerOrNull);
export const integerText = columnsOf('integer', fields.integerText);
export const currency = columnsOf('text', fields.currency);
export const amount = columnsOf('numeric', fields.amount);
export const instant = columnsOf('timestamptz', fields.instant);
export const instantOrNull = columnsOf('timestamptz', fields.instantOrNull);
/** The id of the object in the field. */
export const idIn = columnsOf('text', idWithin);
export const idInOrNull = columnsOf('text', idWithinOrNull);
/** A field that only some types of the object have. */
export const idInIfAny = columnsOf('text', (node, key) =>
  node[key] === undefined ? null : idWithinOrNull(node, key),
);

/** A column of the object in the field `key`. */
export function within(key: string, { read, ...inner }: Column): Column {
  const readBelow: Column['read'] = (node, ...of) =>
    fields.under(key, () => read(fields.object(node, key), ...of));
  return { ...inner, fields: [key], read: readBelow };
}

/** The same for a field that may be null. */
export function withinIfAny(key: string, { read, ...inner }: Column): Column {
  const readBelow: Column['read'] = (node, ...of) => {
    const below = fields.objectOrNull(node, key);
    return below && fields.under(key, () => read(below, ...of));
  };
  return { ...inner, fields: [key], read: readBelow };
}
