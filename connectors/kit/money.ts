/** Amounts are decimal text in major units, never floats. */

const DECIMAL = /^-?\d{1,20}(\.\d{1,18})?$/;

/** The shortest text of the same amount ("10.00" and "10.0" are "10"); undefined if it is not an amount. */
export function decimal(text: unknown): string | undefined {
  if (typeof text !== 'string' || !DECIMAL.test(text)) return undefined;
  const point = text.indexOf('.');
  if (point === -1) return text === '-0' ? '0' : text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end--; // '0'
  const short = text.slice(0, end - 1 === point ? point : end);
  return short === '-0' ? '0' : short;
}

/**
 * Converts a provider's minor units (an integer with this many decimal places) to exact decimal text in major units.
 */
export function fromMinor(minor: number | bigint | string, places: number): string {
  const value = BigInt(minor);
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, '0');
  const sign = value < 0n ? '-' : '';
  if (places === 0) return sign + digits;
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** The shortest text, so that equal amounts are equal texts. */
export function shortest(amount: string): string {
  return decimal(amount) ?? amount;
}
