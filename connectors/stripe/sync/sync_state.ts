/** Where a stream of Stripe goes on from, and the seconds that it counts in. */
import { z } from 'zod';
import { instant } from '../../kit/sync_run.ts';

/** Unix seconds of `created`: `from` is in it, `before` is not. */
const windowSchema = z.object({ from: z.int(), before: z.int() });

export const positionSchema = z.object({
  /** Whether live or test data are stored. */
  livemode: z.boolean().optional(),
  /** Every change up to here is stored. */
  changesTo: instant.optional(),
  /** Events of the last minutes before that, which are listed once more and tell nothing new then. */
  heard: z.array(z.string()).optional(),
  /**
   * A load that is under way: when it began, and what is still to be read. A sweep reads again what was
   * stored before it, so that what it does not find may have been deleted meanwhile.
   */
  load: z
    .object({ askedAt: instant, windows: z.array(windowSchema), isSweep: z.boolean().optional() })
    .optional(),
  /** Of the ledger: when the last weeks were listed, and when it was last read and not just proved. */
  listedAt: instant.optional(),
  movedAt: instant.optional(),
});

export type Window = z.output<typeof windowSchema>;
export type Position = z.output<typeof positionSchema>;

export function secondOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

export function dateOf(second: number): Date {
  return new Date(second * 1000);
}

/** As our own tables know it. */
export function datesOf({ from, before }: Window): { from: Date; before: Date } {
  return { from: dateOf(from), before: dateOf(before) };
}
