/** Columns of Stripe's objects. */
import { type Column, columnsOf } from '../../kit/columns.ts';
import { flag as flagOf, text as textOf } from '../../kit/fields.ts';
import * as coerce from './coerce.ts';

export const text = columnsOf('text', textOf);
export const textIfAny = columnsOf('text', coerce.textIfAny);
/** The id of another object. */
export const ref = columnsOf('text', coerce.ref);
export const refIfAny = columnsOf('text', coerce.refIfAny);
export const flag = columnsOf('boolean', flagOf);
export const numberIfAny = columnsOf('numeric', coerce.numberIfAny);
export const currency = columnsOf('text', coerce.currencyOf);
export const currencyIfAny = columnsOf('text', coerce.currencyIfAny);
export const instant = columnsOf('timestamptz', coerce.instantAt);
export const instantIfAny = columnsOf('timestamptz', coerce.instantAtOrNull);

/** Money in the object's own currency. */
export const money = columnsOf('numeric', (object, key) =>
  coerce.money(object, key, coerce.currencyOf(object)),
);

/** Null also if the object has no currency. */
export const moneyIfAny = columnsOf('numeric', (object, key) => {
  const of = coerce.currencyIfAny(object);
  return of === null ? null : coerce.moneyOrNull(object, key, of);
});

/** A column of the object in the field `key`, if there is one. */
export function within(key: string, { read, ...inner }: Column): Column {
  return { ...inner, fields: [key], read: (object, ...of) => read(coerce.below(object, key), ...of) };
}
