/** The state of one run of a stream of SendGrid. */
import { z } from 'zod';
import type { StreamContext } from '../../kit/stream.ts';
import { instant, newRun, parseState, type SyncRun } from '../../kit/sync_run.ts';
import { zoneOf } from '../api/calendar.ts';
import { openSendGrid, type SendGrid } from '../api/client.ts';

/** How much is read: everything; what changes for weeks, with what vanished; what changes for days; what moved. */
export const EXTENTS = ['all', 'week', 'night', 'hour'] as const;
export type Extent = (typeof EXTENTS)[number];

export const positionSchema = z.object({
  /** Every change up to here is stored. */
  changesTo: instant.optional(),
  /** When more was last read than an hour takes, and more than a night takes. */
  nightAt: instant.optional(),
  weekAt: instant.optional(),
  /** When SendGrid denied it, if that was the last thing it said. */
  deniedAt: instant.optional(),
  /** A reading in progress: where it began in time, and where it goes on. */
  rest: z
    .object({ at: instant, extent: z.enum(EXTENTS), next: z.string(), request: z.string().optional() })
    .optional(),
  /** The request for which everything was read: its retries do not repeat that. */
  caughtUp: z.string().optional(),
});

export type Position = z.output<typeof positionSchema>;

export type SendGridRun = SyncRun<Position> & {
  sendgrid: SendGrid;
  /** The zone of the account's days. */
  zone: string;
};

export function openRun(context: StreamContext): SendGridRun {
  const run = newRun(context, positionSchema);
  return { ...run, sendgrid: openSendGrid(context), zone: zoneOf(context.connection) };
}

const DAY_MS = 24 * 60 * 60_000;

/** So many days before now, or before the last complete reading: an outage or a denial leaves no hole. */
export function daysBack({ position }: Pick<SendGridRun, 'position'>, at: Date, days: number): Date {
  const read = position.changesTo ?? at;
  return new Date(Math.min(read.getTime(), at.getTime()) - days * DAY_MS);
}

export function needsBackfill(stored: unknown): boolean {
  const { changesTo, rest } = parseState(positionSchema, stored);
  return rest?.extent === 'all' || changesTo === undefined;
}
