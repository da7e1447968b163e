/** Queues what a night waits for: the syncs of its connections, then the figures of what they brought. */
import { providerOf } from '#connectors/providers.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import { addNightJobs, beginComputing, leftJobs, type Night } from '#sql/nights/nights.ts';
import { enqueue } from '../enqueue.ts';
import { requestSyncs } from '../request_syncs.ts';
import { rollup } from '../rollup.ts';
import type { TaskContext } from '../task.ts';

type Connection = {
  id: string;
  name: string;
  brand: string;
  provider: string;
  heldReason: string | null;
  isHeld: boolean;
};

/** Of each connection that the night has not looked at its syncs, and the jobs that earlier ones have left to streams. */
export async function requestReading({ db, signal }: TaskContext, night: Night): Promise<void> {
  for (const connection of await unseenConnections(db, night)) {
    signal.throwIfAborted();
    await db
      .transaction((tx) => requestConnection(tx, night, connection))
      .catch((error) => noteRefusal(db, night, connection, error));
  }
  await db.transaction(async (tx) => addNightJobs(tx, night, await leftJobs(tx, night)));
}

async function unseenConnections(db: TaskContext['db'], { brandId, day }: Night): Promise<Connection[]> {
  const { rows } = await db.query<Connection>(
    `select c.id, c.name, b.slug as brand, c.provider, c.held_reason as "heldReason", c.held_at is not null as "isHeld"
     from app.connections c join app.brands b on b.id = c.brand_id
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
  { id: connectionId, name, brand, provider, isHeld, heldReason }: Connection,
): Promise<void> {
  if (isHeld) {
    const reason = heldReason?.replace(/\.$/, '') ?? 'no reason is recorded';
    const note = `it is held: ${reason}. Next: npx nightshift connections check ${name} --brand ${brand}`;
    return addNightJobs(tx, night, [{ step: 'sync', connectionId, note }]);
  }
  const { streams } = providerOf(provider);
  const requested = await requestSyncs(tx, { brandId: night.brandId, connectionId }, { streams });
  const jobs = requested.map(({ job: jobId }) => ({ step: 'sync', connectionId, jobId }) as const);
  await addNightJobs(tx, night, jobs);
}

/** A connection that can never be queued keeps no other from its turn: it is being removed, say. */
async function noteRefusal(db: TaskContext['db'], night: Night, { id }: Connection, error: unknown) {
  if (!(error instanceof NightshiftError) || error.verdict !== 'give_up') throw error;
  const note = messageOf(error);
  await db.transaction((tx) => addNightJobs(tx, night, [{ step: 'sync', connectionId: id, note }]));
}

/**
 * One for each retailer, and one for the figures of the brand itself, each in a transaction of its own: queueing a
 * rollup may wait for one that begins. What the night has queued already is left out. Gives how many it waits for.
 */
export async function requestFigures({ db, signal }: TaskContext, night: Night, now: Date): Promise<number> {
  const { brandId, day } = night;
  const { rows: owners } = await db.query<{ retailerId: string | null }>(
    `select o.id as "retailerId"
     from (select null::uuid as id union all select id from app.retailers where brand_id = $1 and removing_at is null) o
     where not exists (
       select from ops.night_jobs nj
       where nj.brand_id = $1 and nj.day = $2 and nj.step = 'rollup' and nj.retailer_id is not distinct from o.id)
     order by o.id nulls first`,
    [brandId, day],
  );
  for (const { retailerId } of owners) {
    signal.throwIfAborted();
    await db.transaction(async (tx) => {
      if (!(await holdOwner(tx, brandId, retailerId))) return;
      const jobId = await enqueue(tx, rollup, { brandId, retailerId });
      await addNightJobs(tx, night, [{ step: 'rollup', retailerId, jobId }]);
    });
  }
  await db.transaction((tx) => beginComputing(tx, night, now));
  return owners.length;
}

async function holdOwner(tx: Tx, brandId: string, retailerId: string | null): Promise<boolean> {
  const { rowCount } =
    retailerId === null
      ? await tx.query('select from app.brands where id = $1 and removing_at is null for key share', [
          brandId,
        ])
      : await tx.query(
          'select from app.retailers where brand_id = $1 and id = $2 and removing_at is null for key share',
          [brandId, retailerId],
        );
  return rowCount === 1;
}
