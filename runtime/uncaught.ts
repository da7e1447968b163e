/**
 * An uncaught error ends the process, as Node would end it. Node prints errors with all their properties; here they
 * are scrubbed like everything else.
 */
import { writeSync } from 'node:fs';
import { messageOf } from './errors.ts';
import { STACK_CHARS_MAX, scrub } from './scrub.ts';

type Report = (error: unknown) => Promise<unknown>;

const STDERR = 2;
const CAUSES_MAX = 5;
const reports = new Set<Report>();

/** Call it once, at the entry of a process. Unhandled rejections count as well. `tell` writes synchronously. */
export function endOnUncaught(tell: (error: unknown) => void = tellOnStderr): void {
  let isEnding = false;
  process.on('uncaughtException', async (error: unknown) => {
    if (isEnding) return; // the first error is the reason
    isEnding = true;
    try {
      tell(error);
      await Promise.allSettled([...reports].map((report) => report(error)));
    } finally {
      process.exit(1);
    }
  });
}

/** Is called before the process ends, which waits for `report`. */
export function onUncaught(report: Report): Disposable {
  reports.add(report);
  return { [Symbol.dispose]: () => void reports.delete(report) };
}

function tellOnStderr(error: unknown): void {
  const parts: string[] = [];
  for (let next = error; next !== undefined && parts.length < CAUSES_MAX; ) {
    parts.push((next instanceof Error && next.stack) || messageOf(next));
    next = next instanceof Error ? next.cause : undefined;
  }
  writeSync(STDERR, `uncaught error: ${scrub(parts.join('\ncause: '), STACK_CHARS_MAX)}\n`);
}
