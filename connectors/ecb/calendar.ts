/**
 * The days on which the ECB publishes: those of TARGET, its payment system, at about 16:00 in
 * Frankfurt (https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates).
 * Days are texts like 2026-04-13, counted in UTC, so that no zone of a machine moves them.
 */
const DAY_MS = 86_400_000;
const ZONE = 'Europe/Berlin';
export const PUBLISHED_AT = '16:00';
export const FIRST_PUBLICATION = '1999-01-04';

/** Closed only once, for the change of the millennium and for the first euro notes. */
const CLOSED_ONCE = new Set(['1999-12-31', '2001-12-31']);
/** Before 2000 only Christmas and New Year were closed beside the weekends. */
const HOLIDAYS_SINCE = '2000';

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}

export function isPublicationDay(day: string): boolean {
  const weekday = new Date(Date.parse(day)).getUTCDay();
  if (weekday === 0 || weekday === 6 || CLOSED_ONCE.has(day)) return false;
  const date = day.slice(5);
  if (date === '01-01' || date === '12-25') return false;
  if (day < HOLIDAYS_SINCE) return true;
  const easter = easterSunday(Number(day.slice(0, 4)));
  return date !== '05-01' && date !== '12-26' && day !== addDays(easter, -2) && day !== addDays(easter, 1);
}

/** Every day of publication in a range, both ends included. */
export function publicationDays(from: string, to: string): string[] {
  const count = Math.max(0, (Date.parse(to) - Date.parse(from)) / DAY_MS + 1);
  return Array.from({ length: count }, (_, index) => addDays(from, index)).filter(isPublicationDay);
}

export type LocalTime = { day: string; time: string };

/** The clock in Frankfurt. */
export function frankfurt(now: Date): LocalTime {
  const parts = CLOCK.formatToParts(now);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return {
    day: `${part('year')}-${part('month')}-${part('day')}`,
    time: `${part('hour')}:${part('minute')}`,
  };
}

const CLOCK = new Intl.DateTimeFormat('en-GB', {
  ...{ timeZone: ZONE, hourCycle: 'h23' },
  ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
});

/** The newest day whose rates should be out. */
export function lastPublication(now: Date): string {
  const { day: today, time } = frankfurt(now);
  let day = time >= PUBLISHED_AT ? today : addDays(today, -1);
  while (!isPublicationDay(day)) day = addDays(day, -1); // at most five days: Easter, or Christmas
  return day;
}

// The anonymous Gregorian computus (Meeus, Astronomical Algorithms, chapter 8).
function easterSunday(year: number): string {
  const golden = year % 19;
  const century = Math.floor(year / 100);
  const inCentury = year % 100;
  const moonShift = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const epact = (19 * golden + century - Math.floor(century / 4) - moonShift + 15) % 30;
  const weekShift = (32 + 2 * (century % 4) + 2 * Math.floor(inCentury / 4) - epact - (inCentury % 4)) % 7;
  const correction = Math.floor((golden + 11 * epact + 22 * weekShift) / 451);
  const days = epact + weekShift - 7 * correction + 114;
  return new Date(Date.UTC(year, Math.floor(days / 31) - 1, (days % 31) + 1)).toISOString().slice(0, 10);
}
