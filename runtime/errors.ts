/**
 * Every error that a person or a job can meet: a stable code, what happened, what to do next and
 * what becomes of the job that met it. `docs/errors.md` lists the codes; a test holds the two together.
 */
import { scrub } from './scrub.ts';

/** What becomes of a job: tried again later, its connection held until a person acts, or kept as dead. */
export type Verdict = 'retry' | 'hold' | 'give_up';

export type ErrorDetails = {
  /** What to do next, best a command to type. */
  hint: string;
  verdict: Verdict;
  context?: Record<string, unknown>;
  cause?: unknown;
  /** Do not try again before this many milliseconds; waiting so long spends no attempt. */
  retryAfterMs?: number;
};

export abstract class NightshiftError extends Error {
  abstract readonly code: `NS_${string}`;
  readonly hint: string;
  readonly verdict: Verdict;
  readonly context: Record<string, unknown>;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { hint, verdict, context = {}, cause, retryAfterMs }: ErrorDetails) {
    super(scrub(message), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.hint = hint;
    this.verdict = verdict;
    this.context = context;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The verdict of anything thrown: what we do not know is worth another try. */
export function verdictOf(error: unknown): Verdict {
  return error instanceof NightshiftError ? error.verdict : 'retry';
}

/** For a person, from anything thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return scrub(error.errors.map(messageOf).join('; '));
  return scrub(error instanceof Error ? error.message : String(error));
}
