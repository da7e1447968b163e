/** What every command gets. */
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { ProviderSet } from '#connectors/providers.ts';
import type { ExitCode } from '#runtime/exit_codes.ts';
import type { DestinationStream } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import type { Output, Stream } from '../ui/output.ts';

/** Where a command reads and writes: a process's own streams, or those of a test that runs it in its process. */
export type Io = {
  stdin: Input;
  stdout: Stream;
  stderr: Stream;
  /** Where log lines go; defaults to the process's standard error. */
  log?: DestinationStream;
  /** Those of the product by default; a test may bring one of its own. */
  providers?: ProviderSet;
  /** What schedulers go by instead of the clock of the database; for tests. */
  clock?: (db: Db) => Promise<Date>;
};

export type Input = Readable & { isTTY?: boolean; setRawMode?: (raw: boolean) => unknown };

export type Cli = {
  out: Output;
  io: Io;
  env: NodeJS.ProcessEnv;
  /** The exit code if nothing is thrown; 0 by default. */
  exitCode: ExitCode;
};

/** A noun of the command line: adds its verbs to `command`. */
export type Noun = (command: Command, cli: Cli) => void;
