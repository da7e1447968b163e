/**
 * When a schedule fires. node-cron checks the five fields of an expression and names what is wrong with
 * them; croner gives the times, and Temporal knows the zones. Day of month and day of week combine by *and*.
 *
 * Where the clock changes, as Vixie cron does: an expression with fixed hours fires at the end of a gap for
 * a time in the gap, and once for a time that comes twice. One with `*` or a step in its hours follows elapsed
 * time: a time in the gap is none, each of two equal hours is one.
 */
import { Cron } from 'croner';
import { parse, validateDetailed } from 'node-cron';
import { Temporal } from 'temporal-polyfill';
import { coded } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';

const CHARS_MAX = 200;
const FIELDS = ['minute', 'hour', 'day of month', 'month', 'day of week'] as const;
const EVERY_HOUR = /[*/]/;

export class ExpressionRejected extends coded('NS_SCHEDULE_EXPRESSION') {
  constructor(text: string, faults: string[]) {
    super(`${quote(text)} cannot be used as an expression: ${faults.join('; ')}.`, {
      hint: "Write five fields, minute hour day month weekday, such as '0 2 * * *' for each day at 02:00.",
      context: { expression: text },
    });
  }
}

/** The slots of an expression in a zone. */
export type Slots = {
  /** The first after an instant; undefined if there never is one. */
  after(from: Date): Date | undefined;
  /** Those after `from` up to and including `to`, oldest first, `max` of them at most. */
  between(from: Date, to: Date, max: number): Date[];
};

/** Throws NS_SCHEDULE_EXPRESSION. The zone must be one that this runtime knows. */
export function slotsOf(text: string, timeZone: string): Slots {
  const { pattern, isElapsed } = normalised(text);
  // With fixed hours croner gives what a clock shows, of whatever zone: a slot in a gap that ends with the day is
  // lost where it knows the zone.
  const cron = makeCron(text, pattern, isElapsed ? timeZone : 'UTC');
  const walk = (from: Date) => (isElapsed ? elapsedSlots(cron, from) : fixedSlots(cron, timeZone, from));
  return {
    after: (from) => walk(from).next().value,
    between(from, to, max) {
      const slots: Date[] = [];
      for (const slot of walk(from)) {
        if (slot > to || slots.length === max) break;
        slots.push(slot);
      }
      return slots;
    },
  };
}

function makeCron(text: string, pattern: string, timezone: string): Cron {
  try {
    return new Cron(pattern, {
      ...{ timezone, mode: '5-part', domAndDow: true, fixedTimeRule: 'no-wildcard', paused: true },
    });
  } catch (error) {
    throw new ExpressionRejected(text, [error instanceof Error ? error.message : String(error)]);
  }
}

function* elapsedSlots(cron: Cron, from: Date): Generator<Date, undefined> {
  for (let slot = cron.nextRun(from); slot; slot = cron.nextRun(slot)) yield slot;
}

/** Times of the clock in order are instants in order; several that a gap holds are one. */
function* fixedSlots(cron: Cron, timeZone: string, from: Date): Generator<Date, undefined> {
  const start = Temporal.Instant.fromEpochMilliseconds(from.getTime()).toZonedDateTimeISO(timeZone);
  const shown = new Date(start.toPlainDateTime().toZonedDateTime('UTC').epochMilliseconds);
  let last = from;
  for (let time = cron.nextRun(shown); time; time = cron.nextRun(time)) {
    const slot = instantOf(time, timeZone);
    if (slot <= last) continue;
    yield slot;
    last = slot;
  }
}

/**
 * When a clock of the zone shows what one of UTC shows at `time`: the first of two such instants, or the end of a gap.
 */
function instantOf(time: Date, timeZone: string): Date {
  const wanted = Temporal.Instant.fromEpochMilliseconds(time.getTime())
    .toZonedDateTimeISO('UTC')
    .toPlainDateTime();
  const first = wanted.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  if (first.toPlainDateTime().equals(wanted)) return new Date(first.epochMilliseconds);
  const gap = first.getTimeZoneTransition('next');
  if (gap === null)
    throw new RangeError(`${timeZone} has no ${wanted}, and no change of the clock behind it.`);
  return new Date(gap.epochMilliseconds);
}

/**
 * With each field but that of the hours as a list of numbers: only the hours decide whether an expression
 * follows elapsed time.
 */
function normalised(text: string): { pattern: string; isElapsed: boolean } {
  const fields = text.trim().split(/\s+/);
  if (text.length > CHARS_MAX) throw new ExpressionRejected(text, [`it has over ${CHARS_MAX} characters`]);
  if (fields.length !== FIELDS.length)
    throw new ExpressionRejected(text, [`it has ${fields.length} of 5 fields`]);
  const { valid, errors } = validateDetailed(text);
  if (!valid)
    throw new ExpressionRejected(
      text,
      errors.map(({ field, value = '' }) => `${quote(value)} does not fit the field ${field}`),
    );
  const { minute, hour, dayOfMonth, month, dayOfWeek } = parse(text);
  const days = [...dayOfMonth, ...dayOfWeek];
  if (days.some((day) => typeof day !== 'number'))
    throw new ExpressionRejected(text, ['L, W and # are not supported']);
  const isElapsed = EVERY_HOUR.test(fields[1] ?? '');
  const hours = isElapsed ? fields[1] : hour.join(',');
  const pattern = [minute.join(','), hours, dayOfMonth.join(','), month.join(','), dayOfWeek.join(',')].join(
    ' ',
  );
  return { pattern, isElapsed };
}

/** Says whether an instant is on one of these days, by the clock of a zone. */
export function isOnDays(days: readonly string[], timeZone: string): (at: Date) => boolean {
  if (days.length === 0) return () => false;
  const clock = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' });
  return (at) => days.includes(clock.format(at));
}
