/** The work of the demo: queues syncs and rollups, and reads from their records what they did. */
import { streamsOf } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { fxRates } from '#tasks/fx/fx_rates.ts';
import type { Worker } from '#workers/queue/worker.ts';
import { complaints, exitCodeOfJobs, type Followed, follow, patience } from '../shared/follow.ts';
import { workOfRates } from '../shared/rates_work.ts';
import { pendingRollups } from '../shared/rollups_pending.ts';
import { enqueueSyncs } from '../sync/enqueue.ts';
import { DemoFailed } from '../ui/errors.ts';
import { startProgress } from '../ui/progress.ts';
import { enqueueForecasts } from './forecast.ts';
import type { Giftware } from './setup.ts';
import type { Steps } from './steps.ts';
import { setReorderPoints } from './verdicts.ts';

const TIMEOUT_SECONDS = 1800;

export type Work = {
  /** Rows of all tables that the syncs read, the objects that changed, and the aggregate rows written. */
  rows_read: number;
  changed: number;
  aggregates_written: number;
  rows_per_second: number;
};

export type Place = { db: Db; worker: Worker; giftware: Giftware; now: string | undefined };

export async function syncAndRollUp(steps: Steps, place: Place): Promise<Work> {
  const { db, giftware, now } = place;
  const { brand, retailers, connections } = giftware;
  const before = await lastRun(db);
  const choices = connections.flatMap((connection) =>
    streamsOf(connection.provider).map(({ name: stream }) => ({ connection, stream, row: {} })),
  );
  const syncName = `sync: ${connections.length} accounts, ${choices.length} streams, exchange rates`;
  await steps.run(syncName, async () => {
    const rates = await enqueueRates(place);
    await untilDone(place, [rates, ...(await enqueueSyncs(db, choices, { now }))]);
  });
  await steps.run('rollups: what the syncs left to do', async () => {
    for (;;) {
      const pending = [...(await workOfRates(db)), ...(await pendingRollups(db, brand.id, retailers))];
      if (pending.length === 0) return;
      await untilDone(place, pending);
    }
  });
  await steps.run('forecast: four weeks of each retailer', async () =>
    untilDone(place, await enqueueForecasts(db, { brandId: brand.id, now })),
  );
  await setReorderPoints(db, brand.id);
  const { ms = 1 } = steps.done.find(({ step }) => step === syncName) ?? {};
  const done = await recorded(db, brand.id, before);
  return { ...done, rows_per_second: Math.round(done.rows_read / (ms / 1000)) };
}

async function enqueueRates({ db, now }: Place): Promise<Followed> {
  const id = await db.transaction((tx) => enqueue(tx, fxRates, { now }, { keyMode: 'replace' })); // means now
  return { id, label: 'exchange rates' };
}

export async function untilDone({ db, worker }: Place, jobs: readonly Followed[]): Promise<void> {
  using progress = startProgress();
  const options = { db, progress, patience: patience(TIMEOUT_SECONDS), broken: worker.stopped };
  const states = await follow(jobs, options);
  if (exitCodeOfJobs(states) !== 0) throw new DemoFailed(complaints(jobs, states));
}

async function lastRun(db: Db): Promise<number> {
  const { rows } = await db.query<{ id: number }>('select coalesce(max(id), 0) as id from ops.job_runs');
  return rows[0]?.id ?? 0;
}

async function recorded(db: Db, brandId: string, after: number): Promise<Omit<Work, 'rows_per_second'>> {
  const { rows } = await db.query<Omit<Work, 'rows_per_second'>>(
    `select coalesce(sum((tally ->> 'rows')::bigint), 0)::bigint as rows_read,
            coalesce(sum((tally ->> 'changed')::bigint), 0)::bigint as changed,
            coalesce(sum((tally ->> 'written')::bigint + (tally ->> 'deleted')::bigint), 0)::bigint as aggregates_written
     from ops.job_runs where brand_id = $1 and id > $2`,
    [brandId, after],
  );
  return rows[0] ?? { rows_read: 0, changed: 0, aggregates_written: 0 };
}
