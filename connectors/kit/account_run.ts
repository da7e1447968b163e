/** Makes what the streams of one run of an account have in common. */
import type { AccountRun, StreamAt } from './stream.ts';

export function newAccountRun(streams: readonly StreamAt[]): AccountRun {
  const made = new Map<symbol, Promise<unknown>>();
  const failures = new Set<unknown>();
  return {
    streams,
    once<T>(what: symbol, make: () => Promise<T>) {
      const known = made.get(what);
      // What is made under a symbol is of one type: each symbol has one place that uses it.
      if (known) return known as Promise<T>;
      const making = make();
      making.catch((error: unknown) => void failures.add(error)); // those who wait for it hear of it
      made.set(what, making);
      return making;
    },
    isShared: (error) => failures.has(error),
  };
}

/** Whether a stream reads alone, so that nothing is worth asking for others with it. */
export function isAlone({ streams }: AccountRun): boolean {
  return streams.length < 2;
}
