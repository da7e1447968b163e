/** Converts fields of Stripe's objects to column values. */

import { exponentOf } from '#runtime/currencies.ts';
import { isKey } from '#sql/db/copy.ts';
import {
  currencyNamed,
  type Fields,
  InvalidField,
  integer,
  isObject,
  storable,
  text,
} from '../../kit/fields.ts';
import { decimal, fromMinor, shortest } from '../../kit/money.ts';

// Currencies for which Stripe's decimal places differ from ISO 4217. https://docs.stripe.com/currencies#zero-decimal
const PLACES: Readonly<Record<string, number>> = {
  ...{ CLF: 2, IQD: 2, ISK: 2, LYD: 2, UGX: 2, UYI: 2, UYW: 2 },
  MGA: 0,
};

export function placesOf(currency: string): number {
  return PLACES[currency] ?? exponentOf(currency);
}

/** The ISO 4217 code in capitals, as in all our tables. */
export function currencyOf(object: Fields, key = 'currency'): string {
  const given = text(object, key);
  return currencyNamed(given.toUpperCase(), key, given); // the error shows the original text, because a key in capitals would not be recognised
}

export function currencyIfAny(object: Fields, key = 'currency'): string | null {
  return isNothing(object[key]) ? null : currencyOf(object, key);
}

export function money(object: Fields, key: string, currency: string): string {
  return inMajor(integer(object, key), currency);
}

export function inMajor(minor: number | bigint, currency: string): string {
  return shortest(fromMinor(minor, placesOf(currency)));
}

export function moneyOrNull(object: Fields, key: string, currency: string): string | null {
  return isNothing(object[key]) ? null : money(object, key, currency);
}

/** A price in fractions of the minor unit, "0.5" cents: shifts the decimal point and rounds nothing. */
export function fineMoneyOrNull(object: Fields, key: string, currency: string): string | null {
  const value = object[key];
  if (isNothing(value)) return null;
  const minor = decimal(value);
  if (minor === undefined) throw new InvalidField(key, 'not a decimal number as text');
  const [whole = '', fraction = ''] = minor.split('.');
  return shortest(fromMinor(whole + fraction || '0', placesOf(currency) + fraction.length));
}

export function instantAt(object: Fields, key: string): Date {
  const second = integer(object, key);
  return storable(new Date(second * 1000), key, second);
}

export function instantAtOrNull(object: Fields, key: string): Date | null {
  return isNothing(object[key]) ? null : instantAt(object, key);
}

/** Text that may be null or absent: Stripe omits what an account does not use. */
export function textIfAny(object: Fields, key: string): string | null {
  return isNothing(object[key]) ? null : text(object, key);
}

/** A number as its shortest text. */
export function numberIfAny(object: Fields, key: string): string | null {
  const value = object[key];
  if (isNothing(value)) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw new InvalidField(key, 'no number');
}

/** The id of another object, which Stripe returns alone or with the complete object. An empty id counts as null. */
export function refIfAny(object: Fields, key: string): string | null {
  const value = object[key];
  if (isNothing(value)) return null;
  return (isObject(value) ? text(value, 'id') : text(object, key)) || null;
}

/**
 * The same for the object of an event; a value that is not an id gives nothing, so that an odd event stops no stream.
 */
export function refTold(object: Fields, key: string): string | null {
  const value = object[key];
  const id = isObject(value) ? value.id : value;
  return typeof id === 'string' && id !== '' ? id : null;
}

export function ref(object: Fields, key: string): string {
  return refIfAny(object, key) ?? text(object, key);
}

/** An object below, or one without fields. */
export function below(object: Fields, key: string): Fields {
  const value = object[key];
  return isObject(value) ? value : {};
}

export function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

/** The order that a shop has stored with a payment: in its metadata, or in Stripe's own field. */
export function orderReference(object: Fields): string | null {
  const metadata = below(object, 'metadata');
  const named = [
    metadata.order_id,
    metadata.shopify_order_id,
    below(object, 'payment_details').order_reference,
  ];
  const found = named.find((value) => typeof value === 'string' && value.trim() !== '');
  const reference = typeof found === 'string' ? found.trim() : undefined;
  return isKey(reference) ? reference : null; // a longer text cannot be an order, and the payment still counts
}
