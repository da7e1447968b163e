import type { StripeObject } from '../objects.ts';
import type { Row } from '../rows.ts';

/** One state of an object, and since when (Unix seconds) it holds. */
export type Version = { at: number; object: StripeObject };

/** Fields by which lists are asked so often that they are looked up. */
export const INDEXED = ['payout', 'source', 'charge', 'customer', 'payment_intent', 'invoice'] as const;

/** An object with its states, the oldest first. `payout`: the one that a balance transaction is part of. */
export function versionRow(id: string, versions: readonly Version[], payout?: string): Row {
  const last = versions.at(-1)?.object ?? {};
  const first = versions[0];
  const keys: Record<string, string> = payout === undefined ? {} : { payout };
  for (const field of INDEXED) {
    const value = last[field];
    if (typeof value === 'string') keys[field] = value;
  }
  return {
    id,
    created: createdOf(versions),
    keys,
    at: (now, back) => {
      const reached = versions.findLastIndex((version) => version.at <= now);
      const found = versions[Math.max(0, reached - back)];
      if (reached < 0 || !found || !first) return undefined;
      return settled(found.object, now);
    },
  };
}

/** A deletion says nothing of when the object came, so the first state does. */
function createdOf(versions: readonly Version[]): number {
  const dated = versions.find(({ object }) => typeof object.created === 'number');
  return dated ? Number(dated.object.created) : (versions[0]?.at ?? 0);
}

/** Money of a transaction becomes available by itself, unless its status is given. */
function settled(object: StripeObject, now: number): StripeObject {
  if (object.object !== 'balance_transaction' || object.status !== undefined) return object;
  return { ...object, status: Number(object.available_on) <= now ? 'available' : 'pending' };
}
