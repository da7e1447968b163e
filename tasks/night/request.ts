/** Queues what a night waits for: the syncs of its connections, then the figures of what they brought. */
import { providerOf } from '#connectors/providers.ts';
import type { Tx } from '#sql/db/pool.ts';
import { addNightJobs, beginComputing, leftJobs, type Night } from '#sql/nights/nights.ts';
import { enqueue } from '../enqueue.ts';
import { requestSyncs } from '../request_syncs.ts';
import { rollup } from '../rollup.ts';
import type { TaskContext } from '../task.ts';

type Connection = { id: string; name: string; provider: string; heldReason: string | null; isHeld: boolean };

/**
 * Of each connection that the night has not looked at its syncs, else the jobs that those have left to streams.
 * Gives how many jobs there are to wait for.
 */
export async function requestReading(
  { db, signal }: TaskContext,
  night: Night,
  now: string | undefined,
): Promise<number> {
  let jobs = 0;
  for (const connection of await unseenConnections(db, night)) {
    signal.throwIfAborted();
    jobs += await db.transaction((tx) => requestConnection(tx, night, connection, now));
  }
  if (jobs > 0) return jobs;
  return db.transaction(async (tx) => {
    const left = await leftJobs(tx, night);
    await addNightJobs(tx, night, left);
    return left.length;
  });
}

async function unseenConnections(db: TaskContext['db'], { brandId, day }: Night): Promise<Connection[]> {
  const { rows } = await db.query<Connection>(
    `select c.id, c.name, c.provider, c.held_reason as "heldReason", c.held_at is not null as "isHeld"
     from app.connections c
     where c.brand_id = $1 and c.removing_at is null and not exists (
       select from ops.night_jobs nj where nj.brand_id = c.brand_id and nj.day = $2 and nj.connection_id = c.id)
     order by c.name`,
    [brandId, day],
  );
  return rows;
}

async function requestConnection(
  tx: Tx,
  night: Night,
  { id: connectionId, name, provider, isHeld, heldReason }: Connection,
  now: string | undefined,
): Promise<number> {
  if (isHeld) {
    const note = `it is held: ${heldReason ?? 'no reason is recorded'}. Next: npx nightshift connections check ${name}`;
    await addNightJobs(tx, night, [{ step: 'sync', connectionId, note }]);
    return 0;
  }
  const { streams } = providerOf(provider);
  const requested = await requestSyncs(tx, { brandId: night.brandId, connectionId }, { streams, now });
  const jobs = requested.map(({ job: jobId }) => ({ step: 'sync', connectionId, jobId }) as const);
  await addNightJobs(tx, night, jobs);
  return jobs.length;
}

/** One for each retailer, and one for the figures of the brand itself. Gives how many. */
export async function requestFigures({ db, now }: TaskContext, night: Night, played: string | undefined) {
  const { brandId } = night;
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ retailerId: string | null }>(
      `select id as "retailerId" from app.retailers where brand_id = $1 and removing_at is null
       union all select null order by 1 nulls last`,
      [brandId],
    );
    await beginComputing(tx, night, now());
    for (const { retailerId } of rows) {
      const jobId = await enqueue(tx, rollup, { brandId, retailerId, ...(played && { now: played }) });
      await addNightJobs(tx, night, [{ step: 'rollup', retailerId, jobId }]);
    }
    return rows.length;
  });
}
