import type { Balance, Source } from './objects.ts';

/** Sums the balance transactions: pending until `available_on`, available from then on. */
export function balanceOf(transactions: Source, now: number): Balance {
  const sums = new Map<string, { available: number; pending: number }>();
  for (let position = 0; position < transactions.length; position++) {
    const object = transactions.objectAt(position, now);
    if (!object || transactions.createdAt(position) > now) continue;
    const currency = String(object.currency);
    const sum = sums.get(currency) ?? { available: 0, pending: 0 };
    sums.set(currency, sum);
    sum[object.status === 'pending' ? 'pending' : 'available'] += Number(object.net);
  }
  return sums;
}
