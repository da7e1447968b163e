/** Amounts are decimal text in major units, never floats. */

const DECIMAL = /^-?\d{1,20}(\.\d{1,18})?$/;

/** The shortest text of the same amount ("10.00" and "10.0" are "10"); undefined if it is none. */
export function decimal(text: unknown): string | undefined {
  if (typeof text !== 'string' || !DECIMAL.test(text)) return undefined;
  const point = text.indexOf('.');
  if (point === -1) return text === '-0' ? '0' : text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end--; // '0'
  const short = text.slice(0, end - 1 === point ? point : end);
  return short === '-0' ? '0' : short;
}

// ISO 4217 where it is not 2 (https://www.six-group.com/en/products-services/financial-information/data-standards.html).
const EXPONENTS: Readonly<Record<string, number>> = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, UYI: 0,
  VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0,
  BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3,
}; // biome-ignore format: a table of two groups

/** Decimal places of a currency. */
export function exponentOf(currency: string): number {
  return EXPONENTS[currency.toUpperCase()] ?? 2;
}

/** Minor units as a provider counts them (an integer) as exact decimal text in major units. */
export function fromMinor(
  minor: number | bigint | string,
  currency: string,
  places = exponentOf(currency),
): string {
  const value = BigInt(minor);
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, '0');
  const sign = value < 0n ? '-' : '';
  if (places === 0) return sign + digits;
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
