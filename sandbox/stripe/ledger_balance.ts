import type { Balance, Money, Source } from './objects.ts';

/** Sums the balance transactions: pending until `available_on`, available from then on. */
export function balanceOf(transactions: Source, now: number): Balance {
  const types = new Map<string, Map<string, Money>>();
  for (let position = 0; position < transactions.length; position++) {
    const object = transactions.objectAt(position, now);
    if (!object || transactions.createdAt(position) > now) continue;
    const type = String(object.balance_type);
    const sums = types.get(type) ?? new Map<string, Money>();
    types.set(type, sums);
    const currency = String(object.currency);
    const sum = sums.get(currency) ?? { available: 0, pending: 0 };
    sums.set(currency, sum);
    sum[object.status === 'pending' ? 'pending' : 'available'] += Number(object.net);
  }
  return types;
}
