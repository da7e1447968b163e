#!/usr/bin/env node
/** The operator's command line: `nightshift <noun> <verb>`. */
import { exitCodes } from './exit_codes.ts';
import { run } from './program.ts';

// Whoever reads us may stop early (`| head`): that is no failure, and what we do goes on to its
// orderly end. What cannot be written for another reason (a full disk) fails the command.
let isWritten = true;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    isWritten &&= code === 'EPIPE';
  });
}

const exitCode = await run(process.argv.slice(2));
process.exitCode = exitCode === exitCodes.ok && !isWritten ? exitCodes.failed : exitCode;
