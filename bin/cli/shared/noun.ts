/** What every command is given. */
import type { Command } from 'commander';
import type { ExitCode } from '#runtime/exit_codes.ts';
import type { Output } from '../ui/output.ts';

export type Cli = {
  out: Output;
  env: NodeJS.ProcessEnv;
  /** How the command ends when nothing is thrown; 0 unless it says otherwise. */
  exitCode: ExitCode;
};

/** A noun of the command line: a file in commands/ that adds its verbs to `command`. */
export type Noun = (command: Command, cli: Cli) => void;
