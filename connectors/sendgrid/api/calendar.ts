/** Calendar days as text, `YYYY-MM-DD`: the days of an account are those of its own zone. */

const DAY_MS = 24 * 60 * 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** The zone in which the account counts its days: no answer names it, so a person has to say it. */
export function zoneOf({ accountZone, timeZone }: { accountZone: string | null; timeZone: string }): string {
  return accountZone ?? timeZone;
}

export function dayIn(zone: string, at: Date): string {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
    formats.set(zone, format);
  }
  return format.format(at);
}

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}

/** All days from one to another, both included. */
export function daysFrom(first: string, last: string): string[] {
  const count = Math.round((Date.parse(last) - Date.parse(first)) / DAY_MS) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, at) => addDays(first, at));
}
