/** What the list of errors says of each. */
import type { ExitName } from './exit_codes.ts';

/** What becomes of a job: tried again later, its connection held until a person acts, or kept as dead. */
export type Verdict = 'retry' | 'hold' | 'give_up';

export type Entry = {
  /** The first one applies unless the error names another. */
  verdict: Verdict | readonly [Verdict, Verdict];
  /** How a command ends that met it. */
  exit?: ExitName;
  when: string;
  next: string;
};
