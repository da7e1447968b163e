/** Exact rational numbers, for amounts that are divided before they are rounded. */
import { decimal } from '../../kit/money.ts';

export type Rational = { over: bigint; under: bigint };

export const ZERO: Rational = { over: 0n, under: 1n };
export const ONE: Rational = { over: 1n, under: 1n };

/** From decimal text or an integer; undefined for any other text. */
export function rationalOf(value: string | number): Rational | undefined {
  const text = decimal(String(value));
  if (text === undefined) return undefined;
  const [whole = '', digits = ''] = text.split('.');
  return { over: BigInt(whole + digits), under: 10n ** BigInt(digits.length) };
}

export function times(one: Rational, other: Rational): Rational {
  return { over: one.over * other.over, under: one.under * other.under };
}

export function dividedBy(one: Rational, other: Rational): Rational {
  const sign = other.over < 0n ? -1n : 1n;
  return { over: one.over * other.under * sign, under: one.under * other.over * sign };
}

export function plus(one: Rational, other: Rational): Rational {
  return { over: one.over * other.under + other.over * one.under, under: one.under * other.under };
}

export function minus(one: Rational, other: Rational): Rational {
  return plus(one, { over: -other.over, under: other.under });
}

export function isAbove(one: Rational, other: Rational): boolean {
  return minus(one, other).over > 0n;
}

/** Rounds down or up to an integer. */
export function whole(value: Rational, round: 'up' | 'down'): Rational {
  const down = value.over / value.under - (value.over < 0n && value.over % value.under !== 0n ? 1n : 0n);
  const isWhole = value.over % value.under === 0n;
  return { over: round === 'up' && !isWhole ? down + 1n : down, under: 1n };
}

/** Decimal text in its shortest form, rounded half away from zero to this many places. */
export function decimalOf({ over, under }: Rational, places: number): string {
  const size = over < 0n ? -over : over;
  const scaled = (size * 10n ** BigInt(places) * 2n + under) / (under * 2n);
  const digits = scaled.toString().padStart(places + 1, '0');
  const text = `${over < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return decimal(text) ?? text;
}
