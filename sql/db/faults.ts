/** Which failures are the database's own: no job is to blame for them, and no attempt is spent on them. */
import pg from 'pg';
import { coded, messageOf } from '#runtime/errors.ts';

// SQLSTATEs that say how the server is, not what was asked of it.
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
  '58000', // the system under it …
  '58030', // … cannot read or write
];

export class DatabaseUnreachable extends coded('NS_DATABASE_UNREACHABLE') {
  constructor(place: string, cause: unknown) {
    super(`Cannot work with PostgreSQL at ${place}: ${messageOf(cause)}.`, {
      hint: 'Start the server, or correct DATABASE_URL; without DATABASE_URL Nightshift brings its own server.',
      context: { database: place },
      cause,
    });
  }
}

/** Not what a task makes of it: a run that outran its timeout is broken off by ending its session. */
export function isDatabaseFault(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return error instanceof DatabaseUnreachable;
  const { code = '' } = error;
  return FAULTS.includes(code) || FAULT_CLASSES.includes(code.slice(0, 2));
}
