/** Exact fractions of whole numbers, always in lowest terms with a positive lower part. */
export type Fraction = { readonly upper: bigint; readonly lower: bigint };

export const ZERO: Fraction = { upper: 0n, lower: 1n };

export function fraction(upper: number, lower = 1): Fraction {
  return reduced(BigInt(upper), BigInt(lower));
}

export function add(left: Fraction, right: Fraction): Fraction {
  return reduced(left.upper * right.lower + right.upper * left.lower, left.lower * right.lower);
}

export function multiply(left: Fraction, right: Fraction): Fraction {
  return reduced(left.upper * right.upper, left.lower * right.lower);
}

/** `91/6`, or `15` when it is whole. */
export function show({ upper, lower }: Fraction): string {
  return lower === 1n ? String(upper) : `${upper}/${lower}`;
}

/** As a decimal with so many places, half away from zero. */
export function toPlaces({ upper, lower }: Fraction, places: number): string {
  const scaled = (upper < 0n ? -upper : upper) * 10n ** BigInt(places);
  const digits = ((scaled * 2n + lower) / (lower * 2n)).toString().padStart(places + 1, '0');
  const point = digits.length - places;
  const text = places === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return upper < 0n && /[1-9]/.test(text) ? `-${text}` : text;
}

function reduced(upper: bigint, lower: bigint): Fraction {
  let [left, right] = [upper < 0n ? -upper : upper, lower];
  while (right > 0n) [left, right] = [right, left % right];
  return { upper: upper / left, lower: lower / left };
}
