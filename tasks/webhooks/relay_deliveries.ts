/**
 * Forwards verified deliveries to the consumer of the customer, because a provider may have one slot only: the raw bytes
 * with the headers of their signature, so that the consumer verifies them as before. In no particular order, at least
 * once each, as the provider itself does it. The rows of the deliveries say which are left, and when each is due.
 */
import { z } from 'zod';
import { atOnce } from '#connectors/kit/at_once.ts';
import { DeliveryRefused, postJson } from '#runtime/deliver.ts';
import { messageOf } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import {
  checkedRelay,
  dropUnrelayed,
  noteRelayed,
  type RelayEnd,
  type Relayed,
  RelayRefused,
  readUnrelayed,
  relayOf,
} from '#sql/webhooks/relays.ts';
import { receiverOf } from '#sql/webhooks/secrets.ts';
import { readTrouble, type Work } from '#sql/webhooks/trouble.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask, type Tally, type TaskContext } from '../task.ts';
import { signingSecrets } from './signing_secrets.ts';
import { dueAt, endPutOff, putOff } from './trouble.ts';

const AT_ONCE = 8;
const BATCH = { max: 64, bytesMax: 16 * 1024 * 1024 };
/** Of a consumer that is away. */
const PROBES = { ...BATCH, max: AT_ONCE };
const DROPPED_AT_ONCE = 1_000;
/** What may be taken later though the answer sounds final. */
const LATER = new Set([408, 425, 429]);

const workOf = ({ brandId, connectionId }: ConnectionKey): Work => ({
  ...{ brandId, connectionId, work: 'relay' },
});

export const relayDeliveries = defineTask({
  name: 'relay_deliveries',
  payload: z.strictObject({ brandId: z.uuid(), connectionId: z.uuid() }),
  lane: ({ connectionId }) => `relay:${connectionId}`,
  key: ({ brandId, connectionId }) => `${brandId}:${connectionId}`,
  asksProvider: () => false,
  attempts: 25,
  timeoutSeconds: 600,
  async run(which, context): Promise<Tally> {
    const { db, services } = context;
    const address = await relayOf(db, which);
    if (address === null)
      return db.finish(async (tx) => {
        await stopRelay(tx, which);
        return { skipped: 'nobody is to get them any more', requests: 0 };
      });
    const trouble = await readTrouble(db, workOf(which));
    if (trouble?.isResting)
      return db.finish(async (tx) => {
        await queueRelay(tx, which);
        return { skipped: 'the consumer was away a moment ago', requests: 0 };
      });
    try {
      const url = checkedRelay(address, services.allowedHosts); // a host may have been withdrawn since
      return await relay(which, url, trouble === undefined ? BATCH : PROBES, context);
    } catch (error) {
      if (!(error instanceof RelayRefused)) throw error;
      return db.finish(async (tx) => {
        await putOff(tx, workOf(which), error.message);
        await queueRelay(tx, which);
        return { incomplete: error.message, requests: 0 };
      });
    }
  },
});

/** The next run: when a delivery is due, but not while the consumer is away. The last of its transaction. */
export async function queueRelay(tx: Tx, key: ConnectionKey, due?: Date): Promise<void> {
  const { brandId, connectionId } = key;
  const trouble = await readTrouble(tx, workOf(key));
  await enqueue(tx, relayDeliveries, { brandId, connectionId }, dueAt(due, trouble?.retryAfter));
}

/** It may be another consumer, or one that is back. The last of its transaction. */
export async function resumeRelay(tx: Tx, key: ConnectionKey): Promise<void> {
  await endPutOff(tx, workOf(key));
  await queueRelay(tx, key);
}

/** Forgets what waits for a consumer that is there no more. The last of its transaction. */
export async function stopRelay(tx: Tx, key: ConnectionKey): Promise<void> {
  const isLeft = await dropUnrelayed(tx, key, DROPPED_AT_ONCE);
  await endPutOff(tx, workOf(key));
  if (isLeft) await queueRelay(tx, key);
}

async function relay(
  which: ConnectionKey,
  url: string,
  limits: typeof BATCH,
  context: TaskContext,
): Promise<Tally> {
  const { db, signal } = context;
  const batch = await readUnrelayed(db, which, limits);
  const resign = batch.length > 0 ? await signerOf(which, context) : undefined;
  const ends: RelayEnd[] = [];
  await atOnce(AT_ONCE, batch, async (one) => {
    const end = await forward(url, resign ? { ...one, headers: resign(one) } : one, signal);
    // What broke off because this run ends was not refused, and is not late.
    if (end.error === undefined || !signal.aborted) ends.push(end);
  });
  if (signal.aborted) await db.transaction((tx) => noteRelayed(tx, which, ends));
  signal.throwIfAborted();
  const failed = ends.filter(({ error }) => error !== undefined);
  const refused = failed.filter(({ isRefused }) => isRefused).length;
  const error = failed.length === ends.length ? failed.at(-1)?.error : undefined; // nothing got through
  return db.finish(async (tx) => {
    const due = await noteRelayed(tx, which, ends);
    // A consumer that refuses is there: what comes next may be welcome.
    if (error !== undefined && due !== undefined)
      await putOff(tx, workOf(which), error, { rests: refused === 0 });
    else if (ends.length > 0) await endPutOff(tx, workOf(which));
    if (due !== undefined) await queueRelay(tx, which, due);
    return {
      ...{ relayed: ends.length - failed.length, refused, late: failed.length - refused, requests: 0 },
      ...(error !== undefined && { incomplete: error }),
    };
  });
}

/** Signs anew what waited for so long that its signature is believed no more, where the provider has such a limit. */
async function signerOf(
  which: ConnectionKey,
  { db, services, log }: TaskContext,
): Promise<((one: Relayed) => Record<string, string>) | undefined> {
  const receiver = await receiverOf(db, which);
  const { webhook } = receiver ? services.providers.providerOf(receiver.provider) : {};
  if (receiver === undefined || webhook?.resign === undefined) return undefined;
  const { resign } = webhook;
  const secrets = signingSecrets(webhook, receiver, { sealer: services.sealer, log });
  return (one) => ({ ...one.headers, ...resign(one, secrets, new Date()) });
}

async function forward(
  url: string,
  { number, headers, body }: Relayed,
  signal: AbortSignal,
): Promise<RelayEnd> {
  try {
    await postJson(url, body, { headers, signal });
    return { number };
  } catch (error) {
    return { number, error: messageOf(error), isRefused: isRefusal(error) };
  }
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof DeliveryRefused)) return false;
  const status = Number(error.context.status);
  return status >= 400 && status < 500 && !LATER.has(status);
}
