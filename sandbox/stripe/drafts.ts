/** The lines of an account's files, before they are completed: by kind and id, with their versions. */
import type { Place } from '../ndjson.ts';
import { isPlain } from '../plain.ts';
import { valueAt } from './api/filters.ts';
import { KINDS } from './kinds.ts';
import type { StripeObject } from './objects.ts';

export type Draft = { id: string; object: StripeObject; place: Place };

/** Kinds with a file of their own; discounts also come inside other objects. */
export const FILES: ReadonlySet<string> = new Set([...KINDS.keys(), 'discounts']);

/** Fields that may hold an object where the API gives an id unless it is expanded. */
const COLLAPSED: Readonly<Record<string, string>> = {
  balance_transaction: 'balance_transactions',
  charge: 'charges',
  customer: 'customers',
  default_price: 'prices',
  dispute: 'disputes',
  failure_balance_transaction: 'balance_transactions',
  latest_charge: 'charges',
  latest_invoice: 'invoices',
  payment_intent: 'payment_intents',
  product: 'products',
  promotion_code: 'promotion_codes',
};

export class Drafts {
  readonly #kinds = new Map<string, Map<string, Draft[]>>();
  readonly #bySource = new Map<string, StripeObject[]>();

  add(kind: string, value: StripeObject, place: Place): void {
    const { id } = value;
    if (typeof id !== 'string' || id === '') place.fail('"id" is missing');
    const object = this.#collapse(value, place);
    const known = this.#kinds.get(kind) ?? new Map<string, Draft[]>();
    this.#kinds.set(kind, known);
    const draft = { id, object, place };
    const versions = known.get(id);
    if (versions) versions.push(draft);
    else known.set(id, [draft]);
    if (kind === 'balance_transactions' && typeof object.source === 'string' && !versions) {
      this.#bySource.set(object.source, [...this.transactionsOf(object.source), object]);
    }
  }

  versions(kind: string): Iterable<Draft[]> {
    return this.#kinds.get(kind)?.values() ?? [];
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  /** The last state of an object as it was given. */
  find(kind: string, id: unknown): Draft | undefined {
    return this.#kinds.get(kind)?.get(String(id))?.at(-1);
  }

  /** The balance transactions that name an object as their source. */
  transactionsOf(id: string): StripeObject[] {
    return this.#bySource.get(id) ?? [];
  }

  /** Takes expanded objects out, into their own kind, and leaves their ids. */
  #collapse(value: StripeObject, place: Place): StripeObject {
    const object: StripeObject = { ...value };
    for (const [field, inner] of Object.entries(value)) {
      const kind = COLLAPSED[field];
      if (kind && isPlain(inner))
        object[field] = this.#takeOut(kind, inner as StripeObject, place.below(field));
      if (field !== 'discounts' || !Array.isArray(inner)) continue;
      object[field] = inner.map((discount, index) => {
        if (!isPlain(discount)) return discount;
        return this.#takeOut('discounts', discount as StripeObject, place.below(`discounts.${index}`));
      });
    }
    return object;
  }

  #takeOut(kind: string, object: StripeObject, place: Place): unknown {
    const id = valueAt(object, 'id');
    if (!this.find(kind, id)) this.add(kind, object, place);
    return id;
  }
}
