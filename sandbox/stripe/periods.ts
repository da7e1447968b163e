const DAY_SECONDS = 86_400;

/** The end of so many intervals from an instant; a month ends at its last day when it has no such day. */
export function addInterval(start: number, interval: string, count: number): number {
  if (interval === 'day') return start + count * DAY_SECONDS;
  if (interval === 'week') return start + count * 7 * DAY_SECONDS;
  return addMonths(start, interval === 'year' ? 12 * count : count);
}

function addMonths(start: number, count: number): number {
  const date = new Date(start * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + count);
  const days = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, days));
  return date.getTime() / 1000;
}
