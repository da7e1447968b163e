/** Queues letters: each is a row and a job, which commit together. */
import type { Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { type NewLetters, storeLetters, type Variables } from '#sql/mail/letters.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { enqueue } from '../enqueue.ts';
import { sendEmail } from './send_email.ts';
import { MailUnfit } from './templates.ts';

/** Of one command. */
export const RECIPIENTS_MAX = 1_000;

/** Each letter keeps its variables. */
const BYTES_MAX = 16 * 1024 * 1024;

/** Throws NS_MAIL_UNFIT for more than one command may store. */
export function assertFits(recipients: number, variables: Variables): void {
  const bytes = recipients * Buffer.byteLength(JSON.stringify(variables));
  if (bytes <= BYTES_MAX) return;
  throw new MailUnfit(
    `The variables of ${recipients} letters have ${bytes} bytes, and at most ${BYTES_MAX} are stored at once.`,
    'give fewer recipients at a time; with --campaign nobody gets it twice',
  );
}

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
