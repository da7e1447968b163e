/** What can go wrong at the command line itself. */
import { coded } from '#runtime/errors.ts';

/**
 * The error that a scope ended with. A failure while the scope is left is mostly an echo of that error, and
 * JavaScript wraps the two into one that names neither.
 */
export function firstCause(error: unknown): unknown {
  return error instanceof SuppressedError ? firstCause(error.suppressed) : error;
}

/** What PostgreSQL does not allow, by SQLSTATE. */
export function databaseRefusal(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  if (code === '25006') return new DatabaseReadOnly(error);
  return code === '42501' ? new DatabaseDenied(error) : error;
}

export class DatabaseReadOnly extends coded('NS_DATABASE_READ_ONLY') {
  constructor(cause: Error) {
    super(`The database is read-only: ${cause.message}.`, {
      hint: 'Name the primary server in DATABASE_URL: a standby, or a server with default_transaction_read_only, takes no changes',
      cause,
    });
  }
}

export class DatabaseDenied extends coded('NS_DATABASE_DENIED') {
  constructor(cause: Error) {
    super(`The account of DATABASE_URL lacks a privilege: ${cause.message}.`, {
      hint: 'Commands need the account that ran npx nightshift migrate; nightshift_reader and nightshift_operator are for psql and BI',
      cause,
    });
  }
}

export class UsageError extends coded('NS_USAGE') {
  constructor(message: string, hint: string) {
    super(message, { hint });
  }
}

export class WaitTimedOut extends coded('NS_WAIT_TIMED_OUT') {
  /** `resume`: what ends the pauses that it waits for. */
  constructor(unfinished: string, seconds: number, resume: readonly string[] = []) {
    super(
      `Not done after ${seconds} s: ${unfinished}. The work continues ${resume.length > 0 ? 'once it is resumed' : 'if a worker runs'}.`,
      {
        hint: resume.join('; ') || 'npx nightshift jobs list shows its state; --timeout 1h waits longer',
      },
    );
  }
}

export class Interrupted extends coded('NS_INTERRUPTED') {
  constructor(
    signal: string,
    left = 'What is committed stays, and queued jobs stay queued.',
    hint = 'npx nightshift status shows what is left to do',
  ) {
    super(`Stopped by ${signal}. ${left}`, { hint });
  }
}

export class ScenarioMissing extends coded('NS_SCENARIO_MISSING') {
  constructor(directory: string) {
    super(`There is no directory ${directory}.`, {
      hint: 'docs/sandbox.md describes what a scenario directory holds',
    });
  }
}

export class SandboxFailed extends coded('NS_SANDBOX_FAILED') {
  constructor(exitCode: unknown) {
    super(`The sandbox ended with exit code ${exitCode} before it served anything.`, {
      hint: 'npx nightshift sandbox runs it alone and shows why',
    });
  }
}

export class ConnectionHeld extends coded('NS_CONNECTION_HELD') {
  constructor(brand: string, name: string, reason: string | null) {
    super(`Connection ${name} is held: ${reason ?? 'no reason is recorded'}`, {
      hint: `npx nightshift connections check ${name} --brand ${brand}, then connections key or connections release`,
    });
  }
}

export class DemoFailed extends coded('NS_DEMO_FAILED') {
  constructor(complaints: readonly string[]) {
    super(`A job of the demo did not succeed:\n${complaints.join('\n')}`, {
      hint: 'npx nightshift jobs list --finished shows every run; npx nightshift demo tries again',
    });
  }
}

export class DemoDiffers extends coded('NS_DEMO_DIFFERS') {
  constructor(differences: readonly string[]) {
    super(`The figures differ from the data set: ${differences.join('; ')}.`, {
      hint: 'Something changed the data of brand giftware; on an empty database the demo should be exact',
    });
  }
}
