/**
 * What nobody caught ends the process, as Node would end it; but Node prints errors as they are, with all that
 * hangs on them, and here it is said as everything else: scrubbed.
 */
import { writeSync } from 'node:fs';
import { messageOf } from './errors.ts';
import { STACK_CHARS_MAX, scrub } from './scrub.ts';

type Report = (error: unknown) => Promise<unknown>;

const STDERR = 2;
const CAUSES_MAX = 5;
const reports = new Set<Report>();

/** For the entry of a process, once. A rejection that nobody handles counts as well. `tell` writes it at once. */
export function endOnUncaught(tell: (error: unknown) => void = tellOnStderr): void {
  let isEnding = false;
  process.on('uncaughtException', async (error: unknown) => {
    if (isEnding) return; // the first one says why
    isEnding = true;
    try {
      tell(error);
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

function tellOnStderr(error: unknown): void {
  const told: string[] = [];
  for (let next = error; next !== undefined && told.length < CAUSES_MAX; ) {
    told.push((next instanceof Error && next.stack) || messageOf(next));
    next = next instanceof Error ? next.cause : undefined;
  }
  writeSync(STDERR, `nobody caught this: ${scrub(told.join('\ncause: '), STACK_CHARS_MAX)}\n`);
}
