/**
 * Coded errors: a stable code, what happened, what to do next and what happens to the job. `error_list.ts` lists
 * the codes.
 */
import type { Verdict } from './error_entry.ts';
import { defaultVerdictOf, type ErrorCode } from './error_list.ts';
import { scrub } from './scrub.ts';

export type { Verdict };

export type ErrorDetails = {
  /** What to do next, preferably a command to type. */
  hint: string;
  /** Defaults to the verdict of the code. */
  verdict?: Verdict;
  context?: Record<string, unknown>;
  cause?: unknown;
  /** Do not try again before this many milliseconds; this wait spends no attempt. */
  retryAfterMs?: number;
};

export abstract class NightshiftError extends Error {
  abstract readonly code: ErrorCode;
  readonly hint: string;
  readonly #verdict: Verdict | undefined;
  readonly context: Record<string, unknown>;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { hint, verdict, context = {}, cause, retryAfterMs }: ErrorDetails) {
    super(scrub(message), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.hint = hint;
    this.#verdict = verdict;
    this.context = context;
    this.retryAfterMs = retryAfterMs;
  }

  get verdict(): Verdict {
    return this.#verdict ?? defaultVerdictOf(this.code);
  }
}

/** The base of the class for one code. */
export function coded<Code extends ErrorCode>(code: Code) {
  return class extends NightshiftError {
    readonly code: Code = code;
  };
}

/** The verdict of anything thrown: an unknown error is retried. */
export function verdictOf(error: unknown): Verdict {
  return error instanceof NightshiftError ? error.verdict : 'retry';
}

/** The message for a person, from anything thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return scrub(error.errors.map(messageOf).join('; '));
  return scrub(textOf(error instanceof Error ? error.message : error));
}

/** What has no text must not break whoever writes down that it was thrown. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'something was thrown that has no text';
  }
}
