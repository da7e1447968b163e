/**
 * Stores verified deliveries of a connection, and queues what they ask for, in one transaction. What comes in a moment is
 * followed together; the first one decides when.
 */
import type { Stream } from '#connectors/kit/stream.ts';
import type { Hint } from '#connectors/kit/webhook.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { isAsked, type PrivacyRequest, storeRequest } from '#sql/privacy/requests.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { type NewDelivery, storeDeliveries } from '#sql/webhooks/deliveries.ts';
import { SOON_SECONDS } from '../enqueue.ts';
import { queueRequest } from '../privacy/queue_request.ts';
import { queueFollow } from './follow_deliveries.ts';
import { queueRelay } from './relay_deliveries.ts';

export type Taken = NewDelivery & { hints: readonly Hint[]; privacy?: PrivacyRequest | undefined };

export type Receiving = ConnectionKey & { sealer: Sealer };

/** `streams`: those of the provider. Returns the ids of those that were not there. */
export async function takeDeliveries(
  tx: Tx,
  { sealer, ...key }: Receiving,
  deliveries: readonly Taken[],
  streams: readonly Stream[],
): Promise<ReadonlySet<string>> {
  const { ids, isRelayed, due } = await storeDeliveries(tx, key, deliveries);
  const left = new Set(ids);
  const fresh = deliveries.filter(({ id }) => left.delete(id)); // of two with one id the first
  const requests: (PrivacyRequest & { id: number })[] = [];
  for (const { privacy } of fresh)
    if (privacy && !(await isAsked(tx, { ...privacy, ...key }))) {
      const stored = await storeRequest(tx, sealer, { ...privacy, ...key, source: 'provider' });
      if (stored.isOwn) requests.push({ ...privacy, id: stored.id });
    }
  // In reading order: what a figure is compared with is read before it. And each may wait for the row of a job.
  for (const { name: stream } of streams) {
    const first = due.get(stream);
    if (first) await queueFollow(tx, { ...key, stream }, { due: first, delaySeconds: SOON_SECONDS });
    if (fresh.some(({ rowsOf }) => rowsOf === stream))
      await queueFollow(tx, { ...key, stream, rows: true }, { delaySeconds: SOON_SECONDS });
  }
  if (isRelayed) await queueRelay(tx, key);
  for (const { id, kind } of requests) await queueRequest(tx, { brandId: key.brandId, id, kind });
  return ids;
}
