const CURRENCY = 'GBP';

export type Money = { amount: string; currencyCode: string };
export type Bag = { shopMoney: Money; presentmentMoney: Money };

/** Thousandths of a pound as decimal text: two places, or three where they are needed. */
export function formatThousandths(thousandths: number): string {
  const size = Math.abs(thousandths);
  const whole = Math.floor(size / 1000);
  const fraction = String(size % 1000).padStart(3, '0');
  const text = `${whole}.${fraction.endsWith('0') ? fraction.slice(0, 2) : fraction}`;
  return thousandths < 0 ? `-${text}` : text;
}

export function pounds(thousandths: number): Money {
  return { amount: formatThousandths(thousandths), currencyCode: CURRENCY };
}

/** The shop sells in pounds only, so both sides of a bag are alike. */
export function bag(thousandths: number): Bag {
  const money = pounds(thousandths);
  return { shopMoney: money, presentmentMoney: money };
}

export const ZERO = bag(0);
