/** What the Stripe side serves: objects in accounts, in books by mode, in lists by kind. */

/** An object as the API gives it, with all that may be expanded in it. */
export type StripeObject = Record<string, unknown>;

/**
 * The objects of one kind, the oldest first; those of one second in the order in which they came.
 * Instants are in Unix seconds, as everywhere on Stripe's side.
 */
export type Source = {
  readonly length: number;
  idAt(position: number): string;
  createdAt(position: number): number;
  /** Its state at an instant; undefined when it does not exist yet. `back` 1: the state before. */
  objectAt(position: number, now: number, back?: 0 | 1): StripeObject | undefined;
  positionOf(id: string): number | undefined;
  /** Where a field has a value, in ascending order; undefined when the source keeps no such index. */
  positionsWhere(field: string, value: string): readonly number[] | undefined;
};

/** All objects that keys of one mode can see. */
export type Book = {
  livemode: boolean;
  source(kind: string): Source;
  /** Available and pending money at an instant, in minor units, by `balance_type` and currency. */
  balance(now: number): Balance;
};

export type Money = { available: number; pending: number };
export type Balance = ReadonlyMap<string, ReadonlyMap<string, Money>>;

export type Key = {
  text: string;
  /** Undefined: everything, as a secret key may. */
  permissions: ReadonlySet<string> | undefined;
  expired: boolean;
};

/** Requests that an account allows in so many seconds of the real clock, in all and for each endpoint. */
export type Limits = { seconds: number; global?: number | undefined; endpoint?: number | undefined };

export type StripeAccount = {
  id: string;
  keys: readonly Key[];
  /** Accounts that keys of this one may name in `Stripe-Account`. */
  connected: readonly string[];
  country: string;
  currency: string;
  name: string;
  created: number;
  limits?: Limits | undefined;
  /** Built when first asked for, so that nobody waits for an account that is not used. */
  book(livemode: boolean): Book;
  /** The figures behind made-up subscriptions, where the account has them. */
  truth?: () => unknown;
};

export type StripeWorld = ReadonlyMap<string, StripeAccount>;

export function isLive(key: string): boolean {
  return !/^[a-z]+_test_/.test(key);
}
