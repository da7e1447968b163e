/** The position of a stream of Shopify, and its time format. */
import { z } from 'zod';
import { instant } from '../../kit/sync_run.ts';

/** A part of all objects, by creation time; an absent bound is open. */
const partSchema = z.object({ from: instant.optional(), before: instant.optional() });

const bulkSchema = z.object({
  /** The start of the load: changes are read from here on afterwards. */
  askedAt: instant,
  /** The parts that are left; the operation reads the first of them. */
  parts: z.array(partSchema),
  operation: z.string().optional(),
  offset: z.int(),
  lines: z.int(),
  roots: z.int(),
  /** Root objects of the finished parts. */
  rootsDone: z.int(),
  /** Failed operations of this load. */
  restarts: z.int(),
});

/** A window in progress: everything before `from` is stored, `before` objects of it. */
const windowSchema = z.object({ start: instant, from: instant, to: instant, before: z.int() });

export const positionSchema = z.object({
  /** Every change up to here is stored. */
  changesTo: instant.optional(),
  window: windowSchema.optional(),
  /** The last window lacked objects that Shopify counts. */
  isUnread: z.literal(true).optional(),
  /**
   * By feed, the objects of the last minutes before that, each with its instant: they come in the next window again.
   */
  seen: z.record(z.string(), z.array(z.string())).optional(),
  /** By what was counted: how many were stored when Shopify counted so many. */
  counted: z.record(z.string(), z.object({ at: instant, expected: z.int(), found: z.int() })).optional(),
  /** When Shopify was last asked whether objects are complete that were not yet. */
  unreadyAskedAt: instant.optional(),
  bulk: bulkSchema.optional(),
  lastOperation: z.string().optional(),
  /** The request for which everything was read, or is being read by pages; its run still has to read the rest. */
  catchingUp: z.string().optional(),
});

export type Part = z.output<typeof partSchema>;
export type Bulk = z.output<typeof bulkSchema>;
export type Window = z.output<typeof windowSchema>;
export type Position = z.output<typeof positionSchema>;

/** Shopify counts time in whole seconds. */
export function floorSecond(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}

export function timeText(date: Date): string {
  return floorSecond(date).toISOString().replace('.000Z', 'Z');
}
