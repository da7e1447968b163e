/** Why a job is not what a command wants. */
import { coded } from '#runtime/errors.ts';

export class JobNotFound extends coded('NS_JOB_NOT_FOUND') {
  constructor(id: string) {
    super(`There is no job ${id}.`, {
      hint: 'npx nightshift jobs list shows the queue, and with --finished the runs that have ended',
    });
  }
}

export class JobNotDead extends coded('NS_JOB_NOT_DEAD') {
  constructor(id: string, state: string, { verb, instead }: { verb: string; instead: string | undefined }) {
    super(`Job ${id} is ${state}; only a dead job can be ${verb}.`, {
      hint: WHAT_INSTEAD[state] ?? instead ?? 'It runs by itself: npx nightshift jobs list',
    });
  }
}

const ANEW = 'sync run, rollup run or schedules run; npx nightshift jobs show tells what it was';
const WHAT_INSTEAD: Record<string, string> = {
  held: 'Release its connection, which puts it back: npx nightshift connections release NAME --brand B',
  cancelled: `It is off the queue for good. Queue the work anew: ${ANEW}`,
  succeeded: `It has done its work. To do it again queue it anew: ${ANEW}`,
  partial: `It has done what it could. To do it again queue it anew: ${ANEW}`,
};

export class JobEnded extends coded('NS_JOB_ENDED') {
  constructor(id: string, state: string) {
    super(`Job ${id} has ended before: ${state}.`, { hint: `npx nightshift jobs show ${id} shows its runs` });
  }
}
