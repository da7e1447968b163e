/** What ends a run before its body does: its timeout, a worker that must stop, or a job that was taken from it. */
import { coded, type NightshiftError } from '#runtime/errors.ts';

/** How long a body may go on after its signal aborted before it is left to itself. */
export const ABORT_GRACE_MS = 2_000;

export class TaskTimedOut extends coded('NS_TASK_TIMEOUT') {
  constructor(task: string, seconds: number, cause?: unknown) {
    super(`Task ${task} ran longer than its ${seconds} s and was stopped.`, {
      hint: 'What it committed stays; the next attempt goes on from there.',
      context: { seconds },
      cause,
    });
  }
}

export class WorkerStopping extends coded('NS_WORKER_STOPPING') {
  constructor() {
    super('The worker is stopping.', {
      hint: 'Nothing to do: the job was handed back and runs elsewhere.',
    });
  }
}

export class JobTaken extends coded('NS_CLAIM_LOST') {
  constructor() {
    super('The job was cancelled or handed back while it ran.', {
      hint: 'Nothing to do: `jobs show` says what became of it.',
    });
  }
}

export type Deadline = Disposable & {
  /** For the body. Its reason is a TaskTimedOut, a WorkerStopping or a JobTaken. */
  signal: AbortSignal;
  /** Rejects with that reason when the body has not heeded it in time. */
  outstayed: Promise<never>;
};

export function deadline(
  task: { name: string; timeoutSeconds: number },
  { stop, lost }: { stop: AbortSignal; lost: AbortSignal },
): Deadline {
  const controller = new AbortController();
  const { promise: outstayed, reject } = Promise.withResolvers<never>();
  outstayed.catch(() => {}); // it may have no awaiter
  let grace: NodeJS.Timeout | undefined;
  const pull = (reason: NightshiftError) => {
    if (controller.signal.aborted) return;
    controller.abort(reason);
    grace = setTimeout(reject, ABORT_GRACE_MS, reason);
  };
  const onTimeout = () => pull(new TaskTimedOut(task.name, task.timeoutSeconds));
  const onStop = () => pull(new WorkerStopping());
  const onLost = () => pull(new JobTaken());
  const timer = setTimeout(onTimeout, Math.ceil(task.timeoutSeconds * 1_000));
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  if (lost.aborted) onLost();
  else lost.addEventListener('abort', onLost, { once: true });

  return {
    signal: controller.signal,
    outstayed,
    [Symbol.dispose]() {
      clearTimeout(timer);
      clearTimeout(grace);
      stop.removeEventListener('abort', onStop);
      lost.removeEventListener('abort', onLost);
    },
  };
}
