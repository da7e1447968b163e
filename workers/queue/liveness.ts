/**
 * A worker is alive as long as its session holds its advisory lock: the server frees the lock as soon as the process is
 * gone, for any reason. `ops.workers` maps locks to pools. If a live worker loses its lock (the server restarted) it
 * takes it again, and claims no job until then: a claim in the name of a worker that counts as dead would be handed
 * back.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import { isPassing } from './db_retry.ts';

const LOCK_SPACE = 0x4e53 * 2 ** 32; // above all our other locks, within exact integers
const LOCKS_MAX = 2 ** 32;
const RETRY_MS = 200;

export type Liveness = {
  /** The worker's own row in `ops.workers`. */
  id: string;
  /** Resolves while we count as alive; after `stop` it resolves at once. */
  ready(): Promise<void>;
  /** When the lock was last retaken after a loss. */
  rejoinedAt(): number | undefined;
  /** Stores which pool of the library claims in our name. */
  register(poolId: string): Promise<void>;
  leave(): Promise<void>;
};

export async function join(db: Db, log: Log, stop: AbortSignal): Promise<Liveness> {
  const id = randomUUID();
  const lockKey = LOCK_SPACE + randomInt(LOCKS_MAX);
  let poolId: string | undefined;
  let session: pg.PoolClient | undefined;
  let rejoinedAt: number | undefined;
  let leaving = false;
  let alive = Promise.withResolvers<void>();
  let isAlive = false;

  const setAlive = () => {
    isAlive = true;
    alive.resolve();
  };
  const takeLock = async () => {
    const client = await db.pool.connect();
    try {
      const { rows } = await client.query('select pg_try_advisory_lock($1) as taken', [lockKey]);
      if (!rows[0]?.taken)
        throw new Error('another worker is handing our jobs back, or our last session still exists');
      if (poolId !== undefined) await write(client, poolId);
      if (leaving) throw new Error('the worker is stopping');
    } catch (error) {
      client.release(true);
      throw error;
    }
    session = client;
    client.once('end', () => lose(client));
  };

  const write = (client: pg.PoolClient, pool: string) =>
    client.query(REGISTER, [id, pool, lockKey, hostname(), process.pid]);

  const lose = (client: pg.PoolClient) => {
    if (leaving || client !== session) return;
    client.release(true);
    session = undefined;
    if (isAlive && !stop.aborted) {
      isAlive = false;
      alive = Promise.withResolvers();
    }
    log.warn({ worker: id }, 'lost the session that proves this worker alive');
    void rejoin();
  };

  const rejoin = async () => {
    while (!leaving && !session) {
      await takeLock().catch((error) => log.debug({ reason: messageOf(error) }, 'not yet alive again'));
      if (!session) await sleep(RETRY_MS);
    }
    if (leaving) return;
    rejoinedAt = performance.now();
    log.info({ worker: id }, 'alive again');
    setAlive();
  };

  await takeLock();
  stop.addEventListener('abort', setAlive);
  return {
    id,
    ready: () => alive.promise,
    rejoinedAt: () => rejoinedAt,
    register: async (pool) => {
      poolId = pool;
      const client = session;
      if (!client) return; // the next takeover of the lock writes it too
      try {
        await write(client, pool);
        if (client === session) setAlive();
      } catch (error) {
        if (!isPassing(error)) throw error;
        lose(client);
      }
    },
    leave: async () => {
      leaving = true;
      session?.release(true); // ends the session, and with it the lock
    },
  };
}

const REGISTER = `
  insert into ops.workers (id, pool_id, lock_key, host, process_id, started_at)
  values ($1, $2, $3, $4, $5, now())
  on conflict (id) do update
  set pool_id = excluded.pool_id, ended_at = null, ended_how = null, handed_back_at = null`;
