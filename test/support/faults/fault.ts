/**
 * A fault is a test that also gives figures: a row of the table that `npm run test:faults` prints at its end. All numbers
 * of the suite that chance decides come from one seed, which is printed with the table; NIGHTSHIFT_SEED names another.
 */
import { expect, test } from 'vitest';
import { isLong, seedOr } from '../property.ts';
import { FIXED_SEED, randomFrom } from '../random.ts';
import type { Findings } from './checker.ts';
import type { Product } from './fleet.ts';

declare module 'vitest' {
  interface TaskMeta {
    faults?: FaultRow[];
  }
}

export type FaultRow = {
  fault: string;
  product: Product;
  injected: number;
  jobs: number;
  lost: number;
  doubled: number;
  refusals: number;
  recoveryMs: number[];
  note?: string;
};

export const SEED = seedOr(FIXED_SEED);

export type FaultRun = {
  /** From 0 to 1, the same numbers in each run of this fault. */
  random: () => number;
  /** Gives a row to the table. */
  report(found: Findings, more: { injected: number; product?: Product; note?: string }): void;
  /** Says why this machine cannot run it: it is printed as not run. */
  notRun(reason: string): never;
};

/** `short: false` leaves it to the full form. */
export function fault(
  name: string,
  run: (given: FaultRun) => Promise<void>,
  { short = true }: { short?: boolean } = {},
): void {
  test.skipIf(!short && !isLong)(name, async ({ task, skip }) => {
    const report: FaultRun['report'] = (found, { injected, product = 'nightshift', note }) => {
      const { jobs, lost, doubled, refusals, recoveryMs } = found;
      const counts = { jobs, lost: lost.length, doubled: doubled.length, refusals, recoveryMs };
      task.meta.faults = [...(task.meta.faults ?? []), { fault: name, product, injected, note, ...counts }];
    };
    await run({ random: randomFrom(SEED), report, notRun: (reason) => skip(reason) as never });
  });
}

/** What every fault must leave behind. */
export function expectNothingLost({ lost, doubled, locked }: Findings): void {
  expect({ lost, doubled, locked }, `seed ${SEED}`).toEqual({ lost: [], doubled: [], locked: [] });
}
