/** Exact arithmetic on decimal texts, as amounts travel. No number with a point is ever made. */

const PATTERN = /^-?\d+(\.\d+)?$/;

type Scaled = { units: bigint; scale: number };

export function isDecimal(text: string): boolean {
  return PATTERN.test(text);
}

export function sum(...texts: string[]): string {
  const parts = texts.map(parse);
  const scale = Math.max(0, ...parts.map((part) => part.scale));
  let units = 0n;
  for (const part of parts) units += part.units * 10n ** BigInt(scale - part.scale);
  return format({ units, scale });
}

export function minus(text: string): string {
  const { units, scale } = parse(text);
  return format({ units: -units, scale });
}

export function times(text: string, count: number): string {
  const { units, scale } = parse(text);
  return format({ units: units * BigInt(count), scale });
}

export function sign(text: string): -1 | 0 | 1 {
  const { units } = parse(text);
  if (units === 0n) return 0;
  return units > 0n ? 1 : -1;
}

function parse(text: string): Scaled {
  if (!isDecimal(text)) throw new RangeError(`"${text}" is not a decimal amount`);
  const point = text.indexOf('.');
  if (point < 0) return { units: BigInt(text), scale: 0 };
  return { units: BigInt(text.slice(0, point) + text.slice(point + 1)), scale: text.length - point - 1 };
}

function format({ units, scale }: Scaled): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return units < 0n ? `-${text}` : text;
}
