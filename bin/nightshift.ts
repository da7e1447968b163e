#!/usr/bin/env node
import { exitCodes } from '#runtime/exit_codes.ts';
/** The operator's command line: `nightshift <noun> <verb>`. */
import { endOnUncaught } from '#runtime/uncaught.ts';
import { run } from './cli/program.ts';
import { isStdoutClosed } from './cli/ui/stdout.ts';

endOnUncaught();

// The reader of a pipe may stop early (`| head`): that is not a failure, and the work continues. Output that cannot be
// written for another reason (a full disk, a closed output) fails the command.
let unwritten: string | undefined;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') unwritten ??= message;
  });
}
const isClosed = isStdoutClosed();
if (isClosed)
  process.stdout.write = () => {
    unwritten ??= 'standard output is closed';
    return true;
  };

const exitCode = await run(process.argv.slice(2));
await Promise.all([...(isClosed ? [] : [process.stdout]), process.stderr].map(flushed));
process.exitCode = exitCode === exitCodes.ok && unwritten ? exitCodes.failed : exitCode;
if (unwritten)
  process.stderr.write(
    `nightshift: The output could not be written: ${unwritten}.\n  next: give it an output; >/dev/null leaves it out\n`,
  );

/** An error of the last write comes after it. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => setImmediate(resolve)));
}
