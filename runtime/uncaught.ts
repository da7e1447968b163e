/**
 * What nobody caught ends the process, as Node would end it; but Node prints errors as they are, with all that
 * hangs on them, and here it is said as everything else: scrubbed.
 */
import { writeSync } from 'node:fs';
import { messageOf } from './errors.ts';
import { STACK_CHARS_MAX, scrub } from './scrub.ts';

type Report = (error: unknown) => Promise<unknown>;

const STDERR = 2;
const reports = new Set<Report>();

/** For the entry of a process, once. A rejection that nobody handles counts as well. */
export function endOnUncaught(): void {
  let isEnding = false;
  process.on('uncaughtException', async (error: unknown) => {
    if (isEnding) return; // the first one says why
    isEnding = true;
    const told = error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error);
    try {
      writeSync(STDERR, `nobody caught this: ${scrub(told, STACK_CHARS_MAX)}\n`);
      await Promise.allSettled([...reports].map((report) => report(error)));
    } finally {
      process.exit(1);
    }
  });
}

/** Hears of it before the process ends, which waits for `report`. */
export function onUncaught(report: Report): Disposable {
  reports.add(report);
  return { [Symbol.dispose]: () => void reports.delete(report) };
}
