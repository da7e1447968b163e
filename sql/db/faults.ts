/** Faults of the database itself: no job causes them, so they spend no attempt. */
import pg from 'pg';
import { coded, messageOf } from '#runtime/errors.ts';

// SQLSTATEs about the state of the server, not about a statement.
const FAULT_CLASSES = ['08']; // the connection
const FAULTS = [
  '25006', // read-only: it has become a standby
  '53000', // out of resources …
  '53100', // … disk full
  '53200', // … out of memory
  '53300', // … too many clients
  '57P01', // stopped or terminated by an administrator
  '57P02', // it crashed
  '57P03', // it is starting, or stopping
  '57P04', // the database was dropped
  '57P05', // ended for being idle
  '58000', // system error …
  '58030', // … I/O error
];

// Transactions met, and the server chose one to give way: a deadlock, or an order that does not exist.
const CONFLICTS = ['40001', '40P01'];

export class DatabaseUnreachable extends coded('NS_DATABASE_UNREACHABLE') {
  constructor(place: string, cause: unknown) {
    super(`Cannot work with PostgreSQL at ${place}: ${messageOf(cause)}.`, {
      hint: 'Start the server, or correct DATABASE_URL; without DATABASE_URL Nightshift brings its own server.',
      context: { database: place },
      cause,
    });
  }
}

export class DatabasePooled extends coded('NS_DATABASE_POOLED') {
  constructor(what: string) {
    super(`Between this process and PostgreSQL is a connection pooler: ${what}.`, {
      hint: 'Name the server itself in DATABASE_URL; only readers of bi may go through a pooler.',
    });
  }
}

/** Of a connection that could not be made. Poolers refuse the settings that a session asks for, or drop them. */
export function refusalOf(error: unknown, place: string): DatabasePooled | DatabaseUnreachable {
  const isPooler = /^unsupported startup parameter/.test(messageOf(error));
  return isPooler ? new DatabasePooled(messageOf(error)) : new DatabaseUnreachable(place, error);
}

/** A run that exceeds its timeout loses its session too, but that is not a fault of the database. */
export function isDatabaseFault(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return error instanceof DatabaseUnreachable;
  const { code = '' } = error;
  return FAULTS.includes(code) || FAULT_CLASSES.includes(code.slice(0, 2));
}

/** Whether a run that ends so did nothing wrong: what it did would go through if it were tried again. */
export function isBlameless(error: unknown): boolean {
  const isConflict = error instanceof pg.DatabaseError && CONFLICTS.includes(error.code ?? '');
  return isConflict || isDatabaseFault(error);
}
