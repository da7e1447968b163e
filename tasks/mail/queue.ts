/** Queues letters: each is a row and a job, which commit together. */
import type { Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { type NewLetters, storeLetters } from '#sql/mail/letters.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { enqueue } from '../enqueue.ts';
import { sendEmail } from './send_email.ts';

/** Of one command. */
export const RECIPIENTS_MAX = 1_000;

export type QueuedLetter = { mailId: string; job: string };

/** A campaign reaches a recipient once with each template. */
export function onceOf({ campaign, template }: Pick<NewLetters, 'campaign' | 'template'>): string | null {
  return campaign === null ? null : `campaign ${campaign} ${template}`;
}

/** Returns those that were not there already. The last of its transaction. */
export async function queueLetters(
  tx: Tx,
  sealer: Sealer,
  key: ConnectionKey,
  letters: NewLetters,
): Promise<QueuedLetter[]> {
  const queued: QueuedLetter[] = [];
  for (const mailId of await storeLetters(tx, sealer, key, letters))
    queued.push({ mailId, job: await enqueue(tx, sendEmail, { ...key, mailId }) });
  return queued;
}
