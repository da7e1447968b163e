/**
 * One line of JSON per event, to stderr, so that stdout belongs to data. Fields are flat; `error`
 * means that a person must act. No secret gets into a line: fields are blanked by name, and anything that
 * looks like a key or a password is blanked in the finished line.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { messageOf, NightshiftError } from './errors.ts';
import { scrubJson } from './scrub.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export type Log = Logger;
export type { DestinationStream };

const STDERR = 2;

/** `name` says which process speaks. `to` is for tests; sync, so that a line survives `process.exit`. */
export function makeLog(
  level: LogLevel,
  name: string,
  to: DestinationStream = destination({ dest: STDERR, sync: true }),
): Log {
  return pino(
    {
      level,
      base: { process: name, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: flat },
      hooks: { streamWrite: (line) => `${scrubJson(line)}\n` },
    },
    to,
  );
}

/** An error under `err` becomes plain fields beside the others. */
function flat({ err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  if (err === undefined) return fields;
  const flattened: Record<string, unknown> = { ...fields, error: messageOf(err) };
  if (err instanceof NightshiftError) {
    return { ...err.context, ...flattened, code: err.code, verdict: err.verdict, hint: err.hint };
  }
  if (err instanceof Error) flattened.stack = err.stack;
  return flattened;
}
