/** The slots of an expression, told apart from the product: by a reader of its own and Temporal's zones. */
import { Temporal } from '@js-temporal/polyfill';

const NAMES: Record<string, number> = {
  ...{ SUN: 0, MON: 1, TUE: 2, WED: 3, THU: 4, FRI: 5, SAT: 6 },
  ...{ JAN: 1, FEB: 2, MAR: 3, APR: 4, MAY: 5, JUN: 6, JUL: 7, AUG: 8, SEP: 9, OCT: 10, NOV: 11, DEC: 12 },
};

/** After `from`, up to and including `to`, in order. */
export function referenceSlots(
  text: string,
  zone: string,
  from: Temporal.Instant,
  to: Temporal.Instant,
): string[] {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = text.split(' ');
  const minutes = numbers(minute, 0, 59);
  const hours = numbers(hour, 0, 23);
  const isDay = (date: Temporal.PlainDate) =>
    numbers(day, 1, 31).has(date.day) &&
    numbers(month, 1, 12).has(date.month) &&
    (numbers(weekday, 0, 7).has(date.dayOfWeek) || (date.dayOfWeek === 7 && numbers(weekday, 0, 7).has(0)));
  const found = new Set<number>();
  if (/[*/]/.test(hour)) {
    // Elapsed time: each minute that is, by what the clock of the zone says at it.
    const first = Math.ceil(from.epochMilliseconds / 60_000);
    const last = Math.floor(to.epochMilliseconds / 60_000);
    for (let at = first; at <= last; at++) {
      const local = Temporal.Instant.fromEpochMilliseconds(at * 60_000).toZonedDateTimeISO(zone);
      if (
        local.second === 0 &&
        minutes.has(local.minute) &&
        hours.has(local.hour) &&
        isDay(local.toPlainDate())
      )
        found.add(at * 60_000);
    }
  } else {
    const end = to.toZonedDateTimeISO(zone).toPlainDate().add({ days: 1 });
    let date = from.toZonedDateTimeISO(zone).toPlainDate().subtract({ days: 1 });
    for (; Temporal.PlainDate.compare(date, end) <= 0; date = date.add({ days: 1 })) {
      if (!isDay(date)) continue;
      for (const h of hours) {
        for (const m of minutes) found.add(instantOf(date.toPlainDateTime({ hour: h, minute: m }), zone));
      }
    }
  }
  return [...found]
    .filter((at) => at > from.epochMilliseconds && at <= to.epochMilliseconds)
    .sort((a, b) => a - b)
    .map((at) => new Date(at).toISOString());
}

/** The end of the gap for what is in one, the first of two. */
function instantOf(local: Temporal.PlainDateTime, zone: string): number {
  const earlier = local.toZonedDateTime(zone, { disambiguation: 'earlier' });
  if (earlier.toPlainDateTime().equals(local)) return earlier.epochMilliseconds;
  const change = earlier.getTimeZoneTransition('next');
  if (change === null) throw new Error(`no change of the clock after ${earlier}`);
  return change.epochMilliseconds;
}

function numbers(field: string, low: number, high: number): Set<number> {
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [a = '', b = a] = range === '*' ? [String(low), String(high)] : range.split('-');
    const [start, end] = [NAMES[a] ?? Number(a), NAMES[b] ?? Number(b)];
    const span = high === 7 ? 7 : high - low + 1; // a range may go round, as from 22 to 2
    const length = end >= start ? end - start : end - start + span;
    for (let n = 0; n <= length; n += Number(step)) {
      const value = start + n;
      found.add(value > high ? value - span : value);
    }
  }
  return found;
}
