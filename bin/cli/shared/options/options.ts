/** Options that mean the same with every verb that has them. */
import { type Command, Option } from 'commander';
import { duration, isoInstant } from '../../ui/arguments.ts';

export function whichConnection(verb: Command): Command {
  return verb
    .argument('<name>', 'name of the connection, or its id')
    .option('--brand <brand>', 'brand that the connection belongs to');
}

export type WaitOptions = { wait?: boolean; timeout: number };

const DEFAULT_TIMEOUT = '1h';

export function waitOptions(
  verb: Command,
  meaning = 'wait for completion and exit with its status',
): Command {
  const timeout = new Option('--timeout <time>', 'how long --wait waits at most, such as 10m');
  return verb
    .option('--wait', meaning)
    .addOption(timeout.argParser(duration).default(duration(DEFAULT_TIMEOUT), DEFAULT_TIMEOUT));
}

/** Scenarios and tests have a present of their own. */
export function nowOption(meaning = 'act as of this instant'): Option {
  return new Option('--now <instant>', `${meaning} (for scenarios and tests)`).argParser(isoInstant);
}
