/** The steps of the demo: each is announced and timed, and none begins after a stop signal. */
import { stopSignal } from '#runtime/shutdown.ts';
import { Interrupted } from '../ui/errors.ts';
import { span } from '../ui/format.ts';

export type Step = { step: string; ms: number };

/** What a step leaves when it is broken off, and what to do then. */
export type Unfinished = { left: string; hint: string };

export type Steps = {
  done: Step[];
  /** Aborted by a stop signal. */
  signal: AbortSignal;
  run<T>(step: string, work: () => Promise<T>, unfinished?: Unfinished): Promise<T>;
};

/** Whatever fails after a stop signal was broken off by it: Ctrl-C may reach the server of the database too. */
export function makeSteps(say: (line: string) => void, stop: Promise<string> = stopSignal()): Steps {
  let stoppedBy: string | undefined;
  const stopping = new AbortController();
  void stop.then((signal) => {
    stoppedBy = signal;
    stopping.abort(new Interrupted(signal));
  });
  const done: Step[] = [];
  return {
    done,
    signal: stopping.signal,
    async run(step, work, { left, hint }: Partial<Unfinished> = {}) {
      const refuseStopped = () => {
        if (stoppedBy !== undefined) throw new Interrupted(stoppedBy, left, hint);
      };
      refuseStopped();
      say(`- ${step} …`);
      const startedAt = performance.now();
      const result = await work().catch((error) => {
        refuseStopped();
        throw error;
      });
      const ms = Math.round(performance.now() - startedAt);
      done.push({ step, ms });
      say(`  done in ${span(ms)}`);
      return result;
    },
  };
}
