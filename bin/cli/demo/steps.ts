/** The steps of the demo: each is announced and timed, and none begins after a stop signal. */
import { stopSignal } from '#runtime/shutdown.ts';
import { Interrupted } from '../ui/errors.ts';
import { span } from '../ui/format.ts';

export type Step = { step: string; ms: number };

export type Steps = {
  done: Step[];
  run<T>(step: string, work: () => Promise<T>): Promise<T>;
};

export function makeSteps(say: (line: string) => void): Steps {
  let stoppedBy: string | undefined;
  void stopSignal().then((signal) => {
    stoppedBy = signal;
  });
  const done: Step[] = [];
  return {
    done,
    async run(step, work) {
      if (stoppedBy !== undefined) throw new Interrupted(stoppedBy);
      say(`- ${step} …`);
      const startedAt = performance.now();
      const result = await work();
      const ms = Math.round(performance.now() - startedAt);
      done.push({ step, ms });
      say(`  done in ${span(ms)}`);
      return result;
    },
  };
}
