/**
 * The database as a running job sees it. Every transaction first locks the job's own row, so that a run that lost its
 * job (it was thought dead, or exceeded its timeout) can never commit again.
 */
import { coded } from '#runtime/errors.ts';
import type { BoundStatement, Db, Tx } from '#sql/db/pool.ts';
import {
  type Claim,
  type Ended,
  ended,
  endWithWork,
  fence,
  fenced,
  fenceOfEnd,
  type RunEnd,
  type RunRecord,
} from '#sql/queue/jobs.ts';
import type { JobDb, Tally } from '#tasks/task.ts';

export class ClaimLost extends coded('NS_CLAIM_LOST') {
  constructor({ jobId }: Claim) {
    super(`Job ${jobId} is no longer this run's: it was handed back, and nothing of this was written.`, {
      hint: 'Nothing to do: the job runs elsewhere, or waits to.',
      context: { jobId },
    });
  }
}

export type FencedDb = JobDb & {
  progress(state: Record<string, unknown>): void;
  /** Progress that no transaction has stored yet. */
  pendingProgress(): Record<string, unknown> | undefined;
  /** Whether a transaction is open, or about to be. */
  isBusy(): boolean;
  /** How the run ended, if a transaction of its own did that. */
  ended(): Ended | undefined;
  /** Prevents all further commits of this run and aborts open transactions. Idempotent. */
  close(): Promise<void>;
};

type FencedOptions = {
  db: Db;
  /** A separate connection, which must be available even if the job uses all of `db`. */
  control: Pick<Db, 'query'>;
  claim: Claim;
  record: RunRecord;
  endOf: (tally: Tally) => RunEnd;
};

export function fencedDb({ db, control, claim, record, endOf }: FencedOptions): FencedDb {
  const underWay = new Map<symbol, number>(); // the server process of each open transaction
  let transactions = 0;
  let closed = false;
  let breaking: Promise<unknown> | undefined;
  let pending: Record<string, unknown> | undefined;
  let end: Ended | undefined;

  const transaction = async <T>(fn: (tx: Tx) => Promise<T>): Promise<T> => {
    const progress = pending;
    const { value, runId } = await run(fn, () => fence(claim, record, progress));
    record.id = runId; // after the commit only: a rollback removes a record that begins here
    if (pending === progress) pending = undefined;
    return value;
  };

  const finish = async (fn: (tx: Tx) => Promise<Tally>): Promise<Tally> => {
    const endOfWork = (tally: Tally) => endWithWork(claim, record, { ...endOf(tally), progress: pending });
    const { value, last } = await run(fn, () => fenceOfEnd(claim, record), endOfWork);
    if (last) end = ended(last);
    closed = true;
    return value;
  };

  const run = async <T>(
    fn: (tx: Tx) => Promise<T>,
    first: () => BoundStatement,
    last?: (value: T) => BoundStatement,
  ) => {
    const mark = Symbol(claim.jobId);
    let runId: number | undefined;
    transactions += 1;
    try {
      const answer = await db.bracketed({
        first: (tx) => {
          underWay.set(mark, backendOf(tx));
          return first();
        },
        body: async (tx, opening) => {
          const { ours, runId: id } = fenced(opening, record);
          if (closed || !ours) throw new ClaimLost(claim);
          runId = id;
          const value = await fn(tx);
          if (closed) throw new ClaimLost(claim);
          return value;
        },
        last,
        afterwards: async () => {
          underWay.delete(mark);
          await breaking?.catch(() => {}); // it must be done before another user gets this connection
        },
      });
      return { ...answer, runId };
    } finally {
      transactions -= 1;
    }
  };

  return {
    query: (text, values) => db.query(text, values),
    transaction,
    finish,
    progress: (state) => {
      pending = state;
    },
    pendingProgress: () => pending,
    isBusy: () => transactions > 0,
    ended: () => end,
    close: async () => {
      closed = true;
      if (underWay.size === 0) return;
      breaking = control.query(BREAK_OFF, [[...underWay.values()]]);
      await breaking;
    },
  };
}

const BREAK_OFF = 'select pg_terminate_backend(pid) from unnest($1::int[]) pid';

// pg knows the process id of its session, but its types do not declare it.
function backendOf(tx: Tx): number {
  return (tx as Tx & { processID: number }).processID;
}
