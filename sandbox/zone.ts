/** Local times of IANA zones, from the zone data that Node brings along. */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const formats = new Map<string, Intl.DateTimeFormat>();

/** The instant (ms) at which the clocks of a zone show this local time, `YYYY-MM-DD HH:MM:SS`. */
export function localToInstant(local: string, zone: string): number {
  const asUtc = Date.parse(`${local.replace(' ', 'T')}Z`);
  const guess = asUtc - offsetMs(asUtc, zone);
  // The first guess used the offset of a moment up to 14 hours away; the second one is beside it.
  return asUtc - offsetMs(guess, zone);
}

/** Start and end (exclusive) of a local day, as instants in ms: 23, 24 or 25 hours apart. */
export function dayBounds(day: string, zone: string): { start: number; end: number } {
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
  return { start: localToInstant(`${day} 00:00:00`, zone), end: localToInstant(`${next} 00:00:00`, zone) };
}

export function isZone(zone: string): boolean {
  try {
    return Boolean(formatOf(zone));
  } catch {
    return false;
  }
}

/** The day that the clocks of a zone show at an instant (ms). */
export function toLocalDay(instantMs: number, zone: string): string {
  return new Date(instantMs + offsetMs(instantMs, zone)).toISOString().slice(0, 10);
}

/** UTC with `Z` and without a fraction, as Shopify writes every DateTime. */
export function toStamp(instantMs: number): string {
  return `${new Date(instantMs).toISOString().slice(0, 19)}Z`;
}

const offsets = new Map<string, number>();

/** A format takes long to ask. Clocks that are as far from UTC at both ends of a day of UTC are so all day. */
function offsetMs(instant: number, zone: string): number {
  const start = Math.floor(instant / DAY_MS) * DAY_MS;
  const [before, after] = [start, start + DAY_MS].map((end) => {
    const key = `${zone} ${end}`;
    const offset = offsets.get(key) ?? formattedOffsetMs(end, zone);
    offsets.set(key, offset);
    return offset;
  });
  return before !== undefined && before === after ? before : formattedOffsetMs(instant, zone);
}

function formattedOffsetMs(instant: number, zone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  return format;
}
