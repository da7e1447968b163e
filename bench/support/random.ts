/** The same "random" data in every run and on every machine. */

export type Random = {
  /** From 0, less than `below`. */
  whole(below: number): number;
  pick<T>(values: readonly T[]): T;
  /** Letters and digits, as in the ids of providers. */
  token(length: number): string;
};

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** mulberry32: small, fast, and good enough for rows that must not compress like a constant. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (below: number) => Math.floor(next() * below);
  return {
    whole,
    pick: <T>(values: readonly T[]) => values[whole(values.length)] as T,
    token: (length) => Array.from({ length }, () => ALPHABET[whole(ALPHABET.length)]).join(''),
  };
}
