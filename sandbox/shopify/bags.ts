import { minus, sum, times } from '../decimal.ts';
import { get, isPlain } from '../plain.ts';

/** Arithmetic on MoneyBag: both sides alike, each in its own currency. */
export type Money = { amount: string; currencyCode: string };
export type Bag = { shopMoney: Money; presentmentMoney: Money };

export function zero(currency: string, presentment = currency): Bag {
  return {
    shopMoney: { amount: '0.0', currencyCode: currency },
    presentmentMoney: { amount: '0.0', currencyCode: presentment },
  };
}

/** The bag in a field, or nothing in the same currencies as `like`. */
export function bagIn(object: object, field: string, like: Bag): Bag {
  const value = get(object, field);
  return isPlain(value)
    ? (value as Bag)
    : zero(like.shopMoney.currencyCode, like.presentmentMoney.currencyCode);
}

export function addBags(first: Bag, ...others: Bag[]): Bag {
  return map(first, (side) => sum(first[side].amount, ...others.map((bag) => bag[side].amount)));
}

export function minusBag(bag: Bag): Bag {
  return map(bag, (side) => minus(bag[side].amount));
}

export function timesBag(bag: Bag, count: number): Bag {
  return map(bag, (side) => times(bag[side].amount, count));
}

function map(like: Bag, amount: (side: keyof Bag) => string): Bag {
  return {
    shopMoney: { amount: amount('shopMoney'), currencyCode: like.shopMoney.currencyCode },
    presentmentMoney: {
      amount: amount('presentmentMoney'),
      currencyCode: like.presentmentMoney.currencyCode,
    },
  };
}
