/** Tasks that do what a test wants, and the tables and errors that they need. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { coded, type Verdict } from '#runtime/errors.ts';
import type { Db } from '#sql/db/pool.ts';
import { defineTask, type Task } from '#tasks/task.ts';

export class Trouble extends coded('NS_PROVIDER_UNAVAILABLE') {
  constructor(verdict: Verdict, retryAfterMs?: number) {
    super('The provider is in trouble.', { hint: 'Do what a person does.', verdict, retryAfterMs });
  }
}

/** Where effects of jobs are counted. */
export async function makeEffects(db: Pick<Db, 'query'>): Promise<void> {
  await db.query('create table public.effects (label text, at timestamptz default clock_timestamp())');
}

const effectPayload = z.strictObject({
  label: z.string(),
  lane: z.string().optional(),
  key: z.string().optional(),
  brandId: z.string().optional(),
  connectionId: z.string().optional(),
  /** How long the body takes, half of it before its effect. */
  ms: z.int().optional(),
  /** A file that must be there before the effect; with `endUntil` the body waits for one behind it. */
  until: z.string().optional(),
  endUntil: z.string().optional(),
  /** Let nothing else of the process run for so long. */
  stallMs: z.int().optional(),
  /** Go on whatever the signal says. */
  deaf: z.boolean().optional(),
  fail: z.enum(['retry', 'hold', 'give_up', 'wait', 'plain']).optional(),
  retryAfterMs: z.int().optional(),
  incomplete: z.string().optional(),
});

const FILE_POLL_MS = 10;

/** Waits for a file that a test makes when the moment has come: in another process nothing else is as sure. */
async function fileThere(path: string | undefined, signal: AbortSignal): Promise<void> {
  while (path !== undefined && !existsSync(path)) await sleep(FILE_POLL_MS, undefined, { signal });
}

export const effect = defineTask({
  name: 'effect',
  payload: effectPayload,
  lane: ({ lane }) => lane,
  key: ({ key }) => key,
  attempts: 3,
  timeoutSeconds: 30,
  async run(
    { label, ms = 0, stallMs = 0, until, endUntil, deaf, fail, retryAfterMs, incomplete },
    { db, signal },
  ) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stallMs);
    const pause = () => sleep(ms / 2, undefined, deaf ? {} : { signal });
    await pause();
    await fileThere(until, signal);
    await db.transaction((tx) => tx.query('insert into public.effects (label) values ($1)', [label]));
    await pause();
    await fileThere(endUntil, signal);
    if (fail === 'plain') throw new Error('It broke.');
    if (fail === 'wait') throw new Trouble('retry', retryAfterMs ?? 60_000);
    if (fail) throw new Trouble(fail);
    return incomplete === undefined ? { effects: 1 } : { effects: 1, incomplete };
  },
});

/** As `effect`, with a timeout that tests can wait for. */
export const hasty: Task<typeof effectPayload> = { ...effect, name: 'hasty', timeoutSeconds: 0.3 };

/** As `effect`, for one attempt only. */
export const once: Task<typeof effectPayload> = { ...effect, name: 'once', attempts: 1 };

/**
 * Steps one after the other, each committed with the position that says where to go on: as a sync
 * goes from page to page. Nothing in the database keeps a step from being counted twice.
 */
export const steps = defineTask({
  name: 'steps',
  payload: z.strictObject({ label: z.string(), steps: z.int(), lane: z.string().optional() }),
  lane: ({ lane }) => lane,
  attempts: 100,
  timeoutSeconds: 60,
  async run({ label, steps }, { db, signal }) {
    for (;;) {
      const { rows } = await db.query('select step from public.positions where label = $1', [label]);
      const step = (rows[0]?.step ?? 0) + 1;
      if (step > steps) return { steps };
      await sleep(2, undefined, { signal });
      await db.transaction(async (tx) => {
        await tx.query('insert into public.counted values ($1, $2)', [label, step]);
        await tx.query(
          `insert into public.positions values ($1, $2)
           on conflict (label) do update set step = excluded.step`,
          [label, step],
        );
      });
    }
  },
});

export async function makeSteps(db: Pick<Db, 'query'>): Promise<void> {
  await db.query('create table public.counted (label text, step integer)');
  await db.query('create table public.positions (label text primary key, step integer)');
}

/** As the task, and says on standard output when a body begins. */
export function announced<S extends z.ZodObject>(task: Task<S>): Task<S> {
  const run: Task<S>['run'] = (payload, context) => {
    console.log(`begun ${payload.label}`);
    return task.run(payload, context);
  };
  return { ...task, run };
}
