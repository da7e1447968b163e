/**
 * A task is one kind of work; a job is one piece of it on the queue; a run is one attempt at a job.
 * The payload says which (ids and names), the database says what: so a job that runs twice, late or
 * by hand does the same work.
 */
import type { z } from 'zod';
import type { ProviderKeyring } from '#connectors/providers.ts';
import type { Log } from '#runtime/log.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import type { Policy } from '#sql/schedules/decide.ts';
import type { Store } from './snapshots/store.ts';

export type Figure = number | string | boolean | null | undefined;

/** The figures of a run, for its log line and its row in `ops.job_runs`. */
export type Tally = Record<string, Figure | Readonly<Record<string, object>>> & {
  /** Why the run is incomplete: its outcome is then `partial`. */
  incomplete?: string;
};

/** The configuration that tasks need. */
export type Services = ProviderKeyring & {
  /** The address of the exchange rate feeds. */
  ecbUrl: string;
  /** The rollups to run; those of the product by default. */
  rollups?: readonly Rollup[];
  /** The receiver of alerts; none by default. */
  alerts?: AlertChannels;
  /** Who is told that the nights of all brands were kept; nobody by default. */
  pings?: { nights: string | undefined };
  /** The database, for statements that cannot be in a transaction of a job. */
  url?: string;
  /** Where snapshots go; a process without cannot make any. */
  snapshots?: SnapshotServices;
};

export type SnapshotServices = {
  /** The database, which is read in sessions of their own. */
  url: string;
  store: Store;
  /** How long the transactions that read may last. */
  minutes: number;
  /** Megabytes a second that are read at most; 0 is no limit. */
  rate: number;
  /** Another server to prove them on. */
  drillUrl?: string | undefined;
};

export type AlertChannels = {
  /** Takes signed JSON. */
  webhook?: { url: string; secret: string } | undefined;
  capture?: (error: unknown, tags: Record<string, string>) => void;
};

/** The database as a running job sees it. */
export type JobDb = {
  /** Reads outside of a transaction; not fenced, so never for writes. */
  query: Db['query'];
  /** First locks the job's row: throws NS_CLAIM_LOST if the job is no longer ours. `enqueue` comes last in it. */
  transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * The last transaction, which also ends the run with the tally that `fn` gives: either all of it happened or nothing.
   * The task returns that tally, and does nothing more. Work that needs no other transaction costs one commit.
   */
  finish(fn: (tx: Tx) => Promise<Tally>): Promise<Tally>;
};

/**
 * Thrown by a run that has committed all that it did, and makes room for the jobs of others: the job goes on at its next
 * turn, and no attempt is spent.
 */
export class TurnOver extends Error {
  readonly tally: Tally;
  constructor(tally: Tally) {
    super('The turn of the job is over.');
    this.tally = tally;
  }
}

export type TaskContext = {
  /** Id of the job, the same in each of its attempts. */
  job: string;
  db: JobDb;
  /** Aborts at the task's timeout and when the worker stops; every request uses it. */
  signal: AbortSignal;
  /** The instant of the work: `now` of the payload if it has one, else the clock. */
  now(): Date;
  log: Log;
  /** Whether a job of another brand, or a more urgent one, has found no worker for a while. */
  othersWait(): Promise<boolean>;
  /** Reports progress; the next transaction stores it in `ops.job_runs.progress`. */
  progress(state: Record<string, unknown>): void;
  services: Services;
};

/** What waits in one is served before all that waits in the next: see `ops.priorities`. */
export type Priority = 'urgent' | 'normal' | 'bulk';

export type Task<S extends z.ZodObject = z.ZodObject> = {
  name: string;
  payload: S;
  /** Jobs of one lane run one at a time. */
  lane?(payload: z.output<S>): string | undefined;
  /** Only one job waits under a key; work that comes while it runs is a new job. */
  key?(payload: z.output<S>): string | undefined;
  /** Failed runs until the job is dead. */
  attempts: number;
  /** A run may take this long; then its signal aborts and its claim is taken away. */
  timeoutSeconds: number;
  /** `normal` if it says nothing. */
  priority?: Priority;
  /**
   * False for work of a connection that needs neither its key nor its provider: it goes on while the connection is held
   * or paused, and how it ends says nothing of the provider.
   */
  asksProvider?(payload: z.output<S>): boolean;
  run(payload: z.output<S>, context: TaskContext): Promise<Tally>;
  /** What fires it by the clock, unless an operator says otherwise. */
  schedules?: readonly DefaultSchedule[];
  /** The payload of a slot, where it says of which day the work is. */
  atSlot?(payload: z.input<S>, slot: Slot): z.input<S>;
};

/** An instant at which a schedule fires. `localDay` is its day in the zone of the schedule, as YYYY-MM-DD. */
export type Slot = { at: Date; localDay: string };

export type DefaultSchedule = Partial<Policy> & {
  name: string;
  /** Of the platform there is one, else one for each brand or connection. */
  of: 'platform' | 'brand' | 'connection';
  /** Five fields. The owner's id is there to spread what many owners would do at the same minute. */
  expression: string | ((ownerId: string) => string);
  /** The zone of the brand when left out; UTC for the platform. */
  timeZone?: string;
  /** What the job is told besides whose it is. */
  payload?: Readonly<Record<string, unknown>>;
  pauseAfterFailures?: number;
};

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const ATTEMPTS_MAX = 100;
const TIMEOUT_SECONDS_MAX = 24 * 3_600;

export function defineTask<S extends z.ZodObject>(task: Task<S>): Task<S> {
  const { name, attempts, timeoutSeconds } = task;
  if (!NAME.test(name)) throw new TypeError(`Task name '${name}' must match ${NAME}.`);
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > ATTEMPTS_MAX) {
    throw new TypeError(`Task ${name}: attempts must be a whole number from 1 to ${ATTEMPTS_MAX}.`);
  }
  if (!(timeoutSeconds > 0 && timeoutSeconds <= TIMEOUT_SECONDS_MAX)) {
    throw new TypeError(`Task ${name}: timeoutSeconds must be more than 0, at most ${TIMEOUT_SECONDS_MAX}.`);
  }
  return task;
}
