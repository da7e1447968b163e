/** Instants of a schedule, as the clock of its zone shows them. */
import { knownToNode } from '#sql/tenants/brands.ts';

/** `2026-03-08 03:00 -04:00`; in UTC if this Node does not know the zone, of which `doctor` tells. */
export function localTime(at: Date, zone: string): string {
  const timeZone = knownToNode(zone) ? zone : 'UTC';
  const parts = new Intl.DateTimeFormat('en-CA', {
    ...{ timeZone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
    ...{ hourCycle: 'h23', timeZoneName: 'longOffset' },
  }).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  const day = `${part('year')}-${part('month')}-${part('day')}`;
  const offset = part('timeZoneName').replace('GMT', '') || '+00:00';
  return `${day} ${part('hour')}:${part('minute')} ${offset}`;
}
