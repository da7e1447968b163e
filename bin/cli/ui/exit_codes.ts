/** Where errors become exit codes. */
import { entryOf } from '#runtime/error_list.ts';
import { NightshiftError } from '#runtime/errors.ts';
import { type ExitCode, exitCodes } from '#runtime/exit_codes.ts';

export function exitCodeOf(error: unknown): ExitCode {
  return exitCodes[(error instanceof NightshiftError && entryOf(error.code).exit) || 'failed'];
}
