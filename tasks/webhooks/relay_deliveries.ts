/**
 * Forwards verified deliveries to the consumer of the customer, because a provider may have one slot only: the raw bytes
 * with the headers of their signature, so that the consumer verifies them as before. In no particular order, at least
 * once each, as the provider itself does it. The rows of the deliveries say which are left.
 */
import { z } from 'zod';
import { atOnce } from '#connectors/kit/at_once.ts';
import { DeliveryRefused, postJson } from '#runtime/deliver.ts';
import { messageOf } from '#runtime/errors.ts';
import {
  checkedRelay,
  noteRelayed,
  type RelayEnd,
  type Relayed,
  readUnrelayed,
  relayOf,
} from '#sql/webhooks/relays.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask } from '../task.ts';

const AT_ONCE = 8;
const BATCH_MAX = 64;
/** What may be taken later though the answer sounds final. */
const LATER = new Set([408, 425, 429]);

export const relayDeliveries = defineTask({
  name: 'relay_deliveries',
  payload: z.strictObject({ brandId: z.uuid(), connectionId: z.uuid() }),
  lane: ({ connectionId }) => `relay:${connectionId}`,
  key: ({ brandId, connectionId }) => `${brandId}:${connectionId}`,
  attempts: 25,
  timeoutSeconds: 600,
  async run(which, { db, services, signal }) {
    const address = await relayOf(db, which);
    if (address === null) return { skipped: 'nobody is to get them any more' };
    const url = checkedRelay(address, services.allowedHosts); // a host may have been withdrawn since
    const batch = await readUnrelayed(db, which, BATCH_MAX);
    const ends: RelayEnd[] = [];
    const late: unknown[] = [];
    await atOnce(AT_ONCE, batch, async (one) => {
      try {
        await forward(url, one, signal);
        ends.push({ number: one.number, error: undefined, isFinal: false });
      } catch (error) {
        const isFinal = isRefusal(error);
        ends.push({ number: one.number, error: messageOf(error), isFinal });
        if (!isFinal) late.push(error);
      }
    });
    const failed = ends.filter(({ error }) => error !== undefined).length;
    if (late.length > 0) {
      await db.transaction((tx) => noteRelayed(tx, which, ends));
      throw late[0]; // the consumer is away: this job tries again, after longer and longer pauses
    }
    return db.finish(async (tx) => {
      const isLeft = await noteRelayed(tx, which, ends);
      if (isLeft) await enqueue(tx, relayDeliveries, which, { delaySeconds: failed > 0 ? 30 : 0 });
      return { relayed: ends.length - failed, refused: failed };
    });
  },
});

function forward(url: string, { headers, body }: Relayed, signal: AbortSignal): Promise<void> {
  return postJson(url, body, { headers, signal });
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof DeliveryRefused)) return false;
  const status = Number(error.context.status);
  return status >= 400 && status < 500 && !LATER.has(status);
}
