/**
 * What the streams have in common that one run of an account reads: where each of them begins, and what was asked
 * once for all of them, such as a look at the feed of changes.
 */
import type { Stream } from './stream.ts';

export type AccountRun = {
  /** The streams that this run reads, with the position from which each goes on. */
  streams: readonly StreamAt[];
  /** What `make` gave the first stream that wanted it. */
  once<T>(what: symbol, make: () => Promise<T>): Promise<T>;
  /** Whether an error is of something that was asked for all of them. */
  isShared(error: unknown): boolean;
};

export type StreamAt = { stream: Stream; position: unknown };

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
