/** The position of a stream of Stripe, in its seconds. */
import { z } from 'zod';
import { instant } from '../../kit/sync_run.ts';

/** Unix seconds of `created`: `from` is inclusive, `before` is exclusive. */
const windowSchema = z.object({ from: z.int(), before: z.int() });

export const positionSchema = z.object({
  /** Whether live or test data are stored. */
  livemode: z.boolean().optional(),
  /** Every change up to here is stored. */
  changesTo: instant.optional(),
  /** Handled events of the last minutes before that, which are listed again. */
  heard: z.array(z.string()).optional(),
  /** Objects that events named and Stripe did not return: each run requests them until it does, or all are listed. */
  unread: z.array(z.string()).optional(),
  /**
   * A load in progress: its start, and the remaining windows. A full refresh reads again what was stored before, so an
   * object that it does not find may have been deleted meanwhile.
   */
  load: z
    .object({ askedAt: instant, windows: z.array(windowSchema), isSweep: z.boolean().optional() })
    .optional(),
  /** The request for which everything was read: its retries do not repeat that. */
  catchingUp: z.string().optional(),
  /** For the ledger: when the last weeks were listed, and when it was last read instead of just proved. */
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

/** As our tables store it. */
export function datesOf({ from, before }: Window): { from: Date; before: Date } {
  return { from: dateOf(from), before: dateOf(before) };
}
