/** What operators do to jobs. */
import { deadJobs, queueStates } from '#sql/queue/find.ts';
import { type Cancelled, cancelJobs, retryJobs } from '#sql/queue/jobs.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import type { Result, Verb } from './act.ts';
import { JobEnded, JobNotDead, JobNotFound } from './errors.ts';

export const cancel: Verb = {
  name: 'cancel',
  description: 'take jobs off the queue for good; a run is broken off and commits nothing more',
  done: 'cancelled',
  state: 'cancelled',
  of: queueStates,
  apply: async (tx, ids, reason) => meant(await cancelJobs(tx, ids, told('cancelled', reason))),
  refusal: (id, state) => (state === 'gone' ? new JobNotFound(id) : new JobEnded(id, state)),
};

export const discard: Verb = {
  name: 'discard',
  description: 'take dead jobs off the queue for good',
  done: 'discarded',
  state: 'cancelled',
  of: ['dead'],
  apply: async (tx, ids, reason) =>
    meant(await cancelJobs(tx, ids, told('discarded', reason), { onlyDead: true })),
  refusal: onlyDead('discarded', 'Any job is taken off the queue by npx nightshift jobs cancel'),
};

export const retry: Verb = {
  name: 'retry',
  description: 'put dead jobs back on the queue, each with its full number of attempts',
  done: 'back on the queue',
  state: 'waiting',
  of: ['dead'],
  async apply(tx, ids) {
    const back = new Set(await retryJobs(tx, ids));
    const others = ids.filter((id) => !back.has(id));
    const locked = new Set(others.length === 0 ? [] : await deadJobs(tx, others));
    return ids.map((id) => (back.has(id) ? 'done' : locked.has(id) ? 'busy' : 'left'));
  },
  refusal: onlyDead('put back'),
};

function onlyDead(verb: string, instead?: string) {
  return (id: string, state: string) =>
    state === 'gone' ? new JobNotFound(id) : new JobNotDead(id, state, { verb, instead });
}

/** What the record of the job will say. */
function told(done: string, reason: string | undefined) {
  return {
    code: 'NS_JOB_CANCELLED',
    message: `${currentAccount()} ${done} it${reason === undefined ? '.' : `: ${reason}`}`,
    hint: 'Nothing to do. If the work is wanted after all it has to be queued anew.',
  };
}

const MEANS: Record<Cancelled, Result> = {
  ...{ cancelled: 'done', asked: 'asked', asking: 'asking' },
  ...{ busy: 'busy', other: 'left', gone: 'left' },
};

function meant(results: readonly { result: Cancelled }[]): Result[] {
  return results.map(({ result }) => MEANS[result]);
}
