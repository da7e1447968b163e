/**
 * Stores deliveries as they come. Those of one connection that come while a transaction of it is under way share the
 * next one: a busy connection costs a commit for many deliveries, and they do not wait for each other's locks.
 */
import type { Stream } from '#connectors/kit/stream.ts';
import type { Db } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { type Taken, takeDeliveries } from '#tasks/webhooks/take_deliveries.ts';

/** Of one transaction. */
const DELIVERIES_MAX = 100;
const BYTES_MAX = 16 * 1024 * 1024;

export type Inbox = {
  /** Resolves once the delivery is stored for good: to whether it is new. */
  put(to: ConnectionKey, delivery: Taken, streams: readonly Stream[]): Promise<boolean>;
};

type Waiting = { delivery: Taken; resolve(isNew: boolean): void; reject(error: unknown): void };

export function makeInbox(db: Pick<Db, 'transaction'>, sealer: Sealer): Inbox {
  const queues = new Map<string, Waiting[]>();

  const store = async (key: ConnectionKey, batch: readonly Waiting[], streams: readonly Stream[]) => {
    const all = batch.map(({ delivery }) => delivery);
    try {
      const ids = new Set(await db.transaction((tx) => takeDeliveries(tx, { ...key, sealer }, all, streams)));
      // Of two with one id the first one is new.
      for (const { delivery, resolve } of batch) resolve(ids.delete(delivery.id));
    } catch (error) {
      const [first, ...others] = batch;
      if (others.length === 0) return first?.reject(error);
      for (const one of batch) await store(key, [one], streams); // one that cannot be stored spoils no other
    }
  };

  const drain = async (name: string, key: ConnectionKey, queue: Waiting[], streams: readonly Stream[]) => {
    while (queue.length > 0) await store(key, queue.splice(0, countOf(queue)), streams);
    queues.delete(name);
  };

  return {
    put: (key, delivery, streams) =>
      new Promise((resolve, reject) => {
        const name = `${key.brandId} ${key.connectionId}`;
        const waiting = { delivery, resolve, reject };
        const queue = queues.get(name);
        if (queue) return void queue.push(waiting);
        const begun = [waiting];
        queues.set(name, begun);
        void drain(name, key, begun, streams);
      }),
  };
}

/** How many of them fit into a transaction, at least one. */
function countOf(queue: readonly Waiting[]): number {
  let [count, bytes] = [0, 0];
  for (const { delivery } of queue) {
    bytes += delivery.body.length;
    if (count > 0 && (count >= DELIVERIES_MAX || bytes > BYTES_MAX)) break;
    count++;
  }
  return count;
}
