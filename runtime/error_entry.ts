/** An entry of the list of errors. */
import type { ExitName } from './exit_codes.ts';

/** What happens to the job: it is retried later, its connection is held until a person acts, or it is kept as dead. */
export type Verdict = 'retry' | 'hold' | 'give_up';

export type Entry = {
  /** `give_up` if not said. The first of two applies unless the error names the other. */
  verdict?: Verdict | readonly [Verdict, Verdict];
  /** Exit code of a command that fails with it. */
  exit?: ExitName;
  when: string;
  next: string;
};
