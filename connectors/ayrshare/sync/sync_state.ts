/** What a run leaves for the next one: when each network was read, and until when asking again says nothing new. */
import { z } from 'zod';
import type { StreamContext } from '../../kit/stream.ts';
import { newRun, type SyncRun } from '../../kit/sync_run.ts';

const instant = z.iso.datetime();

const networkSchema = z.object({
  /** When it was asked, and when it last answered. */
  askedAt: instant.optional(),
  readAt: instant.optional(),
  /** Until then its answer stays the same. */
  nextUpdate: instant.optional(),
  /** The day on which it was last read in full. */
  fullOn: z.string().optional(),
  /** It takes a person: it is asked once a day. */
  isFailing: z.boolean().optional(),
  /** None of several posts that were asked for gave a number. */
  isMute: z.boolean().optional(),
  limitedUntil: instant.optional(),
  limitedTimes: z.int().optional(),
  /** Instagram: of the newest story, whose numbers exist for a day. */
  storyAt: instant.optional(),
  /** When it last gave numbers, and which: the first and the last time. */
  numbersAt: instant.optional(),
  metrics: z.record(z.string(), z.tuple([instant, instant])).optional(),
});
export type Network = z.output<typeof networkSchema>;

const stateSchema = z.object({
  changesTo: instant.optional(),
  /** The brand's day on which everything was read last, and that of the last long reading. */
  day: z.string().optional(),
  longDay: z.string().optional(),
  /** What is linked, as of that day. */
  linked: z.array(z.string()).default([]),
  networks: z.record(z.string(), networkSchema).default({}),
  /** Of single posts: the one up to which a night came that did not come to all. */
  lastAsked: z.string().optional(),
  /** A list that is being read: a run that is broken off goes on behind its last page. */
  walk: z.object({ list: z.string(), next: z.string(), at: instant, begunAt: instant }).optional(),
});
export type State = z.output<typeof stateSchema>;
export type Run = SyncRun<State>;

export function openRun(context: StreamContext): Run {
  const run = newRun(context, stateSchema);
  if (context.window) run.fixed = run.position;
  else if (context.full || run.position.day === undefined) run.phase = 'first_load';
  return run;
}

/** Whether the first run of a day of the brand reads everything, as a first load and a full refresh do. */
export function isDayDue({ context, position }: Run): boolean {
  return context.full || context.window !== undefined || position.day !== today(context);
}

const DAY_MS = 24 * 60 * 60_000;

/** Whether so many days have passed since one. */
export function isDaysAgo(context: StreamContext, day: string | undefined, days: number): boolean {
  return day === undefined || Date.parse(today(context)) - Date.parse(day) >= days * DAY_MS;
}

export function daysBefore(now: Date, days: number): Date {
  return new Date(now.getTime() - days * DAY_MS);
}

/** The day in the zone of the brand. */
export function today({ connection, now }: Pick<StreamContext, 'connection' | 'now'>): string {
  return dayOf(now(), connection.timeZone);
}

export function dayOf(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(at);
}

export function withNetwork(state: State, name: string, change: Network): State {
  return { ...state, networks: { ...state.networks, [name]: { ...state.networks[name], ...change } } };
}

/** Up to when every change is stored, if each of these was read. */
export function readTo({ networks }: State, names: readonly string[], now: Date): string | undefined {
  const times = names.map((name) => networks[name]?.readAt);
  if (times.includes(undefined)) return undefined;
  return [...times, now.toISOString()].sort()[0];
}
