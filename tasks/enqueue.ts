/** Puts jobs on the queue, in the transaction of whatever makes them necessary. */
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { Task } from './task.ts';

export type EnqueueOptions = {
  delaySeconds?: number;
  /** Wins over `delaySeconds`. */
  runAt?: Date;
  /** Lower runs first; 0 is usual. */
  priority?: number;
  /** What becomes of the time of a job that waits under the same key. */
  keyMode?: 'preserve_run_at' | 'replace';
  /**
   * A job of its own, whatever waits under the key. Making it waits for no row: for transactions that
   * hold what a job with the key may be waiting for, and that would wait for each other otherwise.
   */
  unkeyed?: boolean;
};

const CALLS_MAX = 5;

export class PayloadInvalid extends coded('NS_PAYLOAD_INVALID') {
  constructor(task: string, error: z.ZodError) {
    super(`The payload is not one of task ${task}: ${z.prettifyError(error)}`, {
      hint: 'The job was made by other code than this; enqueue it again with the fields that the task wants.',
      context: { task },
    });
  }
}

export class EnqueueFailed extends coded('NS_ENQUEUE_FAILED') {
  constructor(task: string, key: string | undefined) {
    super(`Task ${task} could not be enqueued: workers claim every job with its key ${key} as it is made.`, {
      hint: 'Try again.',
      context: { task, key },
    });
  }
}

/** The last statement of a transaction: it may wait for the row of a job that is being claimed. */
export async function enqueue<S extends z.ZodObject>(
  tx: Tx,
  task: Task<S>,
  payload: z.input<S>,
  options: EnqueueOptions = {},
): Promise<string> {
  const checked = parsePayload(task, payload);
  const ownKey = options.unkeyed ? undefined : task.key?.(checked);
  const key = ownKey && `${task.name}:${ownKey}`; // keys are one space for all tasks
  const values = [
    task.name,
    JSON.stringify(payload),
    task.lane?.(checked),
    options.runAt,
    options.delaySeconds ?? 0,
    task.attempts,
    key,
    options.priority ?? 0,
    options.keyMode ?? 'preserve_run_at',
  ];
  // add_job answers nothing, and has made nothing, when a worker claims the job with this key between
  // two of its statements. Asked again it sees the claimed job and makes a new one.
  for (let call = 0; call < CALLS_MAX; call++) {
    const { rows } = await tx.query<{ id: string | null }>({ ...ADD_JOB, values });
    const id = rows[0]?.id;
    if (id) return id;
  }
  throw new EnqueueFailed(task.name, key);
}

const ADD_JOB = {
  name: 'add job',
  text: `
  select id::text from graphile_worker.add_job(
    identifier => $1, payload => $2::jsonb::json, queue_name => $3,
    run_at => coalesce($4::timestamptz, now() + make_interval(secs => $5)),
    max_attempts => $6::int, job_key => $7, priority => $8::int, job_key_mode => $9)`,
};

export function parsePayload<S extends z.ZodObject>(task: Task<S>, payload: unknown): z.output<S> {
  const { success, data, error } = task.payload.safeParse(payload);
  if (!success) throw new PayloadInvalid(task.name, error);
  return data;
}
