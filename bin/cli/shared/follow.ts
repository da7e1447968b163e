/** Waits for jobs and shows how far they are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExitCode, exitCodes } from '#runtime/exit_codes.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import type { Db } from '#sql/db/pool.ts';
import { pausesOfJobs } from '#sql/queue/pauses.ts';
import { bar } from '../ui/chart.ts';
import { Interrupted, WaitTimedOut } from '../ui/errors.ts';
import { count, grouped, span } from '../ui/format.ts';
import type { Progress } from '../ui/progress.ts';
import { resumeCommand } from './pause_target.ts';
import { type JobState, jobStates } from './queue_state.ts';

const POLL_MS = 250;

export type Followed = { id: string; label: string };

/** The time limit of a whole wait, over all jobs that are followed in turn. */
export type Patience = { seconds: number; endsAt: number };

export function patience(seconds: number): Patience {
  return { seconds, endsAt: performance.now() + seconds * 1000 };
}

export type FollowOptions = {
  db: Db;
  progress: Progress;
  patience: Patience;
  /** Rejects when the work cannot continue, such as when the command's own worker fails. */
  broken?: Promise<void>;
};

/** The jobs as they ended, in the order given. */
export async function follow(jobs: readonly Followed[], options: FollowOptions): Promise<JobState[]> {
  const { db, progress, patience, broken = new Promise<void>(() => {}) } = options;
  const stop = stopSignal().then((signal) => Promise.reject(new Interrupted(signal)));
  const failing = Promise.race([stop, broken.then(() => new Promise<never>(() => {}))]);
  failing.catch(() => {}); // it may reject while nothing awaits it
  for (;;) {
    const states = await Promise.race([
      jobStates(
        db,
        jobs.map(({ id }) => id),
      ),
      failing,
    ]);
    const open = states.flatMap((state, at) =>
      isOver(state) ? [] : [{ state, label: jobs[at]?.label ?? '' }],
    );
    progress.show(linesOf(open));
    if (open.length === 0) return states;
    if (performance.now() > patience.endsAt)
      throw new WaitTimedOut(open.map(unfinished).join(', '), patience.seconds, await resumes(db, open));
    await Promise.race([sleep(POLL_MS), failing]);
  }
}

const over: readonly JobState['state'][] = ['succeeded', 'partial', 'held', 'dead', 'cancelled', 'gone'];

export function isOver({ state }: JobState): boolean {
  return over.includes(state);
}

const failed: readonly JobState['state'][] = ['held', 'dead', 'cancelled', 'gone'];

/** The exit code of a waiting command is that of its worst job. */
export function exitCodeOfJobs(states: readonly JobState[]): ExitCode {
  if (states.some(({ state }) => failed.includes(state))) return exitCodes.failed;
  return states.some(({ state }) => state === 'partial') ? exitCodes.partial : exitCodes.ok;
}

type Open = { label: string; state: JobState };

/** What is not done, and what keeps it, or the error if it was tried. */
function unfinished({ label, state: { state, why, error_message } }: Open): string {
  const cause = state === 'paused' ? why : error_message;
  return cause === null ? label : `${label} (${cause})`;
}

/** The commands that end the pauses of those that wait for nothing else. */
async function resumes(db: Db, open: readonly Open[]): Promise<string[]> {
  const paused = open.filter(({ state }) => state.state === 'paused').map(({ state }) => state.id);
  return paused.length === 0 ? [] : (await pausesOfJobs(db, paused)).map(resumeCommand);
}

/** A line for each running job, and one for all that wait. */
function linesOf(open: readonly Open[]): string[] {
  const waiting = open.filter(({ state }) => state.state === 'waiting');
  const lines = open.filter(({ state }) => state.state !== 'waiting').map(line);
  if (waiting.length === 0) return lines;
  const nextAt = Math.min(...waiting.map(({ state }) => state.run_at?.getTime() ?? 0));
  const until = nextAt > Date.now() ? `, the next until ${time(new Date(nextAt))}` : '';
  return [...lines, `${count(waiting.length, 'job')} waiting${until}`];
}

function time(at: Date): string {
  return at.toISOString().slice(11, 19);
}

const LABEL_WIDTH = 34;
const SPAN_WIDTH = 10;
const BAR_WIDTH = 24;

function line({ label, state: job }: Open): string {
  const { state, started_at, progress, error_message, run_at, why } = job;
  const name = label.padEnd(LABEL_WIDTH);
  if (state === 'paused') return `${name}  ${why ?? state}`;
  if (state !== 'running')
    return `${name}  ${state}, next at ${run_at ? time(run_at) : '?'}${error_message === null ? '' : `: ${error_message}`}`;
  const since = started_at ? span(Math.max(0, Date.now() - started_at.getTime())) : '';
  return `${name}  ${since.padStart(SPAN_WIDTH)}  ${progress ? howFar(progress) : ''}`.trimEnd();
}

/** A bar if the total is known, else the figures. */
function howFar(progress: Record<string, unknown>): string {
  const { objects, announced, phase, ...rest } = progress;
  if (typeof objects !== 'number') return figures(rest);
  if (typeof announced !== 'number' || announced === 0) return objects > 0 ? count(objects, 'object') : '';
  return `${grouped(objects)} of ${grouped(announced)}  ${bar(Math.min(objects, announced), announced, BAR_WIDTH)}`;
}

function figures(values: Record<string, unknown>): string {
  return Object.entries(values)
    .flatMap(([name, value]) => (typeof value === 'number' ? [`${grouped(Math.round(value))} ${name}`] : []))
    .join(', ');
}

/** What went wrong with the jobs that did not succeed, and what to do about it. */
export function complaints(jobs: readonly Followed[], states: readonly JobState[]): string[] {
  return states.flatMap((state, at) => {
    if (state.state === 'succeeded') return [];
    const incomplete = state.tally?.incomplete;
    const why =
      state.error_message ?? (typeof incomplete === 'string' ? incomplete : 'no reason is recorded');
    const next = state.error_hint ?? `npx nightshift jobs show ${state.id}`;
    return [`${jobs[at]?.label}: ${state.state}. ${why}`, `  next: ${next}`];
  });
}
