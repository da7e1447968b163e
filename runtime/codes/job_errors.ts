/** Errors of commands that act on jobs and on groups of failures. */
import type { Entry } from '../error_entry.ts';

export const jobErrors = {
  NS_FAILURE_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no group of failures of that id',
    next: '`failures list --state all` shows all groups',
  },
  NS_FAILURE_STATE: {
    exit: 'conflict',
    when: 'the group of failures is not acknowledged, or an acknowledgement would end at once',
    next: '`failures show` shows how it stands',
  },
  NS_JOB_BUSY: {
    verdict: 'retry',
    exit: 'conflict',
    when: 'another process is changing the row of the job',
    next: 'try again',
  },
  NS_JOB_CANCELLED: {
    when: 'a person or a schedule took the job off the queue',
    next: 'nothing; enqueue it again if it is wanted after all',
  },
  NS_JOB_ENDED: {
    exit: 'conflict',
    when: 'the job that was to be cancelled has ended already',
    next: '`jobs show` shows its runs',
  },
  NS_JOB_NOT_DEAD: {
    exit: 'conflict',
    when: 'only a dead job can be put back or discarded',
    next: 'a held one returns with `connections release`; others run by themselves',
  },
  NS_JOB_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no such job',
    next: '`jobs list`, with `--finished` for runs that have ended',
  },
  NS_JOBS_NOT_PAUSED: {
    exit: 'notFound',
    when: 'what should be resumed is not paused',
    next: '`jobs pauses` lists the pauses; name one with the options it was made with',
  },
} as const satisfies Record<string, Entry>;
