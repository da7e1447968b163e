/** The one place where errors become exit codes. docs/operations.md lists them for the operator. */
import { NightshiftError } from '#runtime/errors.ts';

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  timedOut: 5,
  partial: 6,
  databaseUnreachable: 69,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

// Every code that is absent ends in 1.
const byErrorCode: Record<string, ExitCode> = {
  NS_USAGE: exitCodes.usage,
  NS_WAIT_TIMED_OUT: exitCodes.timedOut,
  NS_INTERRUPTED: exitCodes.interrupted,
  NS_NAME_UNFIT: exitCodes.usage,
  NS_TIME_ZONE_UNKNOWN: exitCodes.usage,
  NS_CURRENCY_UNKNOWN: exitCodes.usage,
  NS_STREAM_UNKNOWN: exitCodes.usage,
  NS_HOST_REFUSED: exitCodes.usage,
  NS_KEY_UNFIT: exitCodes.usage,
  NS_NAME_NOT_FOUND: exitCodes.notFound,
  NS_JOB_NOT_FOUND: exitCodes.notFound,
  NS_FX_FILE_MISSING: exitCodes.notFound,
  NS_SCENARIO_MISSING: exitCodes.notFound,
  NS_NAME_TAKEN: exitCodes.conflict,
  NS_ACCOUNT_TAKEN: exitCodes.conflict,
  NS_CONNECTION_HELD: exitCodes.conflict,
  NS_CONNECTION_REMOVING: exitCodes.conflict,
  NS_REMOVAL_BEGUN: exitCodes.conflict,
  NS_REMOVAL_DISTURBED: exitCodes.conflict,
  NS_JOB_NOT_DEAD: exitCodes.conflict,
  NS_DATABASE_UNREACHABLE: exitCodes.databaseUnreachable,
};

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof NightshiftError)) return exitCodes.failed;
  return byErrorCode[error.code] ?? exitCodes.failed;
}
