/** Where a stream of Stripe goes on from. It is JSON in `ops.positions`, written with each page. */
import { z } from 'zod';
import type { Json } from '#sql/load/table.ts';

const instant = z.iso.datetime().transform((text) => new Date(text));

/** Unix seconds of `created`: `from` is in it, `before` is not. */
const windowSchema = z.object({ from: z.int(), before: z.int() });

const positionSchema = z.object({
  /** Whether live or test data are stored. */
  livemode: z.boolean().optional(),
  /** Every change up to here is stored. */
  changesTo: instant.optional(),
  /**
   * A load that is under way: when it began, and what is still to be read. A sweep reads again what was
   * stored before it, so that what it does not find may have been deleted meanwhile.
   */
  load: z
    .object({ askedAt: instant, windows: z.array(windowSchema), isSweep: z.boolean().optional() })
    .optional(),
});

export type Window = z.output<typeof windowSchema>;
export type Position = z.output<typeof positionSchema>;

export function parsePosition(stored: unknown): Position {
  return positionSchema.parse(stored ?? {});
}

/** Dates become text, as JSON writes them. */
export function positionJson(position: Position): Json {
  return JSON.parse(JSON.stringify(position)) as Json;
}

export function secondOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

export function dateOf(second: number): Date {
  return new Date(second * 1000);
}
