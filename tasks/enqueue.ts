/** Queues jobs, in the transaction of the change that needs them. */
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { Priority, Task } from './task.ts';

/** Without a delay or a time the job runs as soon as it is the turn of its brand. */
export type EnqueueOptions = {
  delaySeconds?: number;
  /** With `delaySeconds` the later of both counts. */
  runAt?: Date;
  /** That of the task by default. */
  priority?: Priority;
  /** What happens to the time of a job that waits under the same key. */
  keyMode?: 'preserve_run_at' | 'replace' | 'earliest';
  /**
   * A job of its own, even if another one waits under the key. Queueing it waits for no row: for transactions that hold
   * what a job with the key may be waiting for, which could deadlock otherwise.
   */
  unkeyed?: boolean;
};

/**
 * So far ahead a job may be queued that gathers what comes together. Workers look for it when this time is over; a job
 * that is queued further ahead is found by their next look at the clock, up to a second late.
 */
export const SOON_SECONDS = 0.25;

const CALLS_MAX = 5;

export class PayloadInvalid extends coded('NS_PAYLOAD_INVALID') {
  constructor(task: string, error: z.ZodError) {
    super(`The payload does not fit task ${task}: ${z.prettifyError(error)}`, {
      hint: 'Another release made the job; queue it again with the fields that the task expects.',
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
  const key = ownKey && `${task.name}:${ownKey}`; // all tasks share one key space
  const values = [
    task.name,
    JSON.stringify(payload),
    task.lane?.(checked),
    options.runAt,
    options.delaySeconds,
    task.attempts,
    key,
    options.priority ?? task.priority ?? 'normal',
    options.keyMode ?? 'preserve_run_at',
    task.asksProvider?.(checked) ?? true,
  ];
  // add_job returns nothing and creates nothing if a worker claims the job with this key between two of its
  // statements. Called again, it sees the claimed job and creates a new one.
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
  select ops.queue_job($1, $2::jsonb, $3, greatest($4::timestamptz, now() + make_interval(secs => nullif($5::float8, 0))),
    $6::int, $7, $8, $9, $10)::text as id`,
};

export function parsePayload<S extends z.ZodObject>(task: Task<S>, payload: unknown): z.output<S> {
  const { success, data, error } = task.payload.safeParse(payload);
  if (!success) throw new PayloadInvalid(task.name, error);
  return data;
}
