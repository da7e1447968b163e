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
/** Of one connection, behind the transaction that is under way: it must not use up the door of the others. */
const WAITING_MAX = 64;
/** The least patient provider breaks off after 5 s. */
const WAIT_MS_MAX = 4_000;
/** Classes of SQLSTATE that a single delivery is at fault for: data exceptions, and violated constraints. */
const OF_DATA = /^2[23]/;

/** `busy`: too many wait, or it has waited for too long. It may be stored all the same: the provider repeats it. */
export type Put = 'stored' | 'duplicate' | 'busy';

export type Inbox = {
  /** Resolves once the delivery is stored for good. */
  put(to: ConnectionKey, delivery: Taken, streams: readonly Stream[]): Promise<Put>;
};

type Waiting = { delivery: Taken; resolve(how: Put): void; reject(error: unknown): void };

export function makeInbox(db: Pick<Db, 'transaction'>, sealer: Sealer, waitMsMax = WAIT_MS_MAX): Inbox {
  const queues = new Map<string, Waiting[]>();

  const store = async (key: ConnectionKey, batch: readonly Waiting[], streams: readonly Stream[]) => {
    const all = batch.map(({ delivery }) => delivery);
    try {
      const ids = new Set(await db.transaction((tx) => takeDeliveries(tx, { ...key, sealer }, all, streams)));
      // Of two with one id the first one is new.
      for (const { delivery, resolve } of batch) resolve(ids.delete(delivery.id) ? 'stored' : 'duplicate');
    } catch (error) {
      if (batch.length === 1 || !isOfData(error)) for (const { reject } of batch) reject(error);
      else for (const one of batch) await store(key, [one], streams); // one that cannot be stored spoils no other
    }
  };

  const drain = async (name: string, key: ConnectionKey, queue: Waiting[], streams: readonly Stream[]) => {
    while (queue.length > 0) await store(key, queue.splice(0, countOf(queue)), streams);
    queues.delete(name);
  };

  return {
    put(key, delivery, streams) {
      const name = `${key.brandId} ${key.connectionId}`;
      const queue = queues.get(name);
      if (queue && queue.length >= WAITING_MAX) return Promise.resolve('busy');
      const { promise, resolve, reject } = Promise.withResolvers<Put>();
      const waiting: Waiting = { delivery, resolve, reject };
      const late = setTimeout(() => {
        const waits = queues.get(name) ?? [];
        if (waits.includes(waiting)) waits.splice(waits.indexOf(waiting), 1);
        resolve('busy');
      }, waitMsMax);
      if (queue) queue.push(waiting);
      else {
        const begun = [waiting];
        queues.set(name, begun);
        void drain(name, key, begun, streams);
      }
      return promise.finally(() => clearTimeout(late));
    },
  };
}

function isOfData(error: unknown): boolean {
  const { code } = Object(error);
  return typeof code === 'string' && OF_DATA.test(code);
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
