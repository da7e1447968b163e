/** Formats numbers and durations for a person. */

import { count, grouped, isOrAre } from '#runtime/wording.ts';

export { count, grouped, isOrAre };

/**
 * Milliseconds as '0.8 s', '42 s', '3 min 20 s', '2 h 5 min', '3 d 4 h'. Clocks differ, so a negative duration is shown
 * as 0.
 */
export function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** '3 d 4 h ago', or 'just now', also for an instant ahead of the clock, as in a scenario. */
export function ago(seconds: number): string {
  return seconds < 1 ? 'just now' : `${span(seconds * 1000)} ago`;
}

/** What is sealed besides connections, to follow their number in a sentence. */
export function alsoSealed({ pings, mail }: { pings: number; mail: number }): string {
  const others = [
    ...(pings > 0 ? [count(pings, 'ping address', 'ping addresses')] : []),
    ...(mail > 0 ? [count(mail, 'address of mail', 'addresses of mail')] : []),
  ];
  return others.map((one, at) => `${at === others.length - 1 ? ' and' : ','} ${one}`).join('');
}
