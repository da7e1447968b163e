/**
 * Judges a run by the rows that are left and the driver's own history, and by nothing that the product says of itself:
 * it reads the table of the test's effects and the raw rows of the queue, no view and no record of a run.
 */
import type { TestDb } from '../db/db.ts';
import { type Event, eventsOf, type History } from './history.ts';

export type Findings = {
  /** Acknowledged to the driver. */
  jobs: number;
  /** Acknowledged, with no effect. */
  lost: string[];
  /** With more than one. */
  doubled: string[];
  /** Rows of the queue that are locked, although nobody runs a job any more. */
  locked: string[];
  refusals: number;
  /** From a fault that broke a run off to the next run of that job. */
  recoveryMs: number[];
};

/** `dead`: labels of jobs that must never have an effect. */
export async function check(db: TestDb, history: History, dead: readonly string[] = []): Promise<Findings> {
  const events = history.read();
  const acked = eventsOf(events, 'acked').map(({ label }) => label);
  const effects = await db.rows<{ label: string; times: number }>(
    'select label, count(*)::int as times from public.effects group by label',
  );
  const times = new Map(effects.map((row) => [row.label, row.times]));
  const locked = await db.column(
    'select id::text from graphile_worker._private_jobs where locked_at is not null',
  );
  return {
    jobs: acked.length,
    lost: acked.filter((label) => !times.has(label) && !dead.includes(label)),
    doubled: [
      ...effects.filter((row) => row.times > 1).map(({ label }) => label),
      ...dead.filter((label) => times.has(label)),
    ],
    locked: locked.map(String),
    refusals: eventsOf(events, 'refused').length,
    recoveryMs: recoveries(events),
  };
}

/**
 * A run is broken off if its worker met a fault, and the same job began again later. A fault that names no worker meets
 * all of them at once; it is over when the driver has healed it, and what counts is when the first job begins.
 */
function recoveries(events: readonly Event[]): number[] {
  const found: number[] = [];
  const inHand = new Map<string, string>(); // by the label of the job, the worker that began it last
  const waiting = new Map<string, number>();
  let healedAt: number | undefined;
  for (const event of events) {
    if (event.what === 'healed') healedAt = event.at;
    if (event.what === 'begun') {
      const since = waiting.get(event.label) ?? healedAt;
      if (since !== undefined) found.push(event.at - since);
      healedAt = undefined;
      waiting.delete(event.label);
      inHand.set(event.label, event.worker);
    } else if (event.what === 'fault' && event.worker !== undefined) {
      for (const [label, worker] of inHand) {
        if (event.worker !== worker) continue;
        inHand.delete(label);
        waiting.set(label, event.at);
      }
    }
  }
  return found;
}
