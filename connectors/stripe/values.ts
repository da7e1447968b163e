/** Fields of Stripe's objects as columns hold them. */

import { isKey } from '#sql/copy.ts';
import { FieldFault, type Fields, integer, isObject, storable, text } from '../fields.ts';
import { decimal, fromMinor } from '../money.ts';

// Stripe's own list, which is neither ISO's nor Shopify's: it keeps two places for ISK, UGX, IQD and LYD.
// https://docs.stripe.com/currencies#zero-decimal
const PLACES: Readonly<Record<string, number>> = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, JPY: 0, KMF: 0, KRW: 0, MGA: 0, PYG: 0, RWF: 0, VND: 0, VUV: 0,
  XAF: 0, XOF: 0, XPF: 0,
  BHD: 3, JOD: 3, KWD: 3, OMR: 3, TND: 3,
}; // biome-ignore format: a table of two groups

export function placesOf(currency: string): number {
  return PLACES[currency] ?? 2;
}

/** ISO 4217 in capitals, as all our tables have it. */
export function currencyOf(object: Fields, key = 'currency'): string {
  return text(object, key).toUpperCase();
}

export function money(object: Fields, key: string, currency: string): string {
  return shortest(fromMinor(integer(object, key), currency, placesOf(currency)));
}

export function moneyOrNull(object: Fields, key: string, currency: string): string | null {
  return isNothing(object[key]) ? null : money(object, key, currency);
}

/** A price of fractions of the minor unit, "0.5" cents: the point moves, nothing is rounded. */
export function fineMoneyOrNull(object: Fields, key: string, currency: string): string | null {
  const value = object[key];
  if (isNothing(value)) return null;
  const minor = decimal(value);
  if (minor === undefined) throw new FieldFault(key, 'no decimal number as text');
  const [whole = '', fraction = ''] = minor.split('.');
  return shortest(fromMinor(whole + fraction || '0', currency, placesOf(currency) + fraction.length));
}

function shortest(amount: string): string {
  return decimal(amount) ?? amount;
}

export function instantAt(object: Fields, key: string): Date {
  const second = integer(object, key);
  return storable(new Date(second * 1000), key, second);
}

export function instantAtOrNull(object: Fields, key: string): Date | null {
  return isNothing(object[key]) ? null : instantAt(object, key);
}

/** Text that may be null or absent: Stripe leaves out what an account does not use. */
export function textIfAny(object: Fields, key: string): string | null {
  return isNothing(object[key]) ? null : text(object, key);
}

/** A number as its shortest text. */
export function numberIfAny(object: Fields, key: string): string | null {
  const value = object[key];
  if (isNothing(value)) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw new FieldFault(key, 'no number');
}

/** The id of another object, which Stripe gives alone or with all of that object. An empty one names nothing. */
export function refIfAny(object: Fields, key: string): string | null {
  const value = object[key];
  if (isNothing(value)) return null;
  return (isObject(value) ? text(value, 'id') : text(object, key)) || null;
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

/** The order that a shop has noted with a payment: in its metadata, or where Stripe has a place for it. */
export function orderReference(object: Fields): string | null {
  const metadata = below(object, 'metadata');
  const named = [
    metadata.order_id,
    metadata.shopify_order_id,
    below(object, 'payment_details').order_reference,
  ];
  const found = named.find((value) => typeof value === 'string' && value.trim() !== '');
  const reference = typeof found === 'string' ? found.trim() : undefined;
  return isKey(reference) ? reference : null; // what is longer names no order, and the payment counts all the same
}
