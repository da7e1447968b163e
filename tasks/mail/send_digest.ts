/**
 * Sends the digest of a night to those who want it: once, when the day is final, or at its deadline if it is not by then.
 * The night notes that it was handed over; a second job of it finds its letters queued.
 */
import { z } from 'zod';
import { count } from '#runtime/wording.ts';
import type { Tx } from '#sql/db/pool.ts';
import { addressOf, type DigestRecipient, digestRecipients, takeDigest } from '#sql/mail/digests.ts';
import { digestLines } from '#sql/nights/digest_lines.ts';
import { readNight } from '#sql/nights/list.ts';
import { type Night, wasPromised } from '#sql/nights/nights.ts';
import { enqueue } from '../enqueue.ts';
import { defineTask, type TaskContext } from '../task.ts';
import { queueLetters } from './queue.ts';

const LINES_MAX = 200;
const LINE_CHARS_MAX = 300;

const payload = z.strictObject({ brandId: z.uuid(), day: z.iso.date() });

export const sendDigest = defineTask({
  name: 'send_digest',
  payload,
  key: ({ brandId, day }) => `${brandId}:${day}`,
  attempts: 12,
  timeoutSeconds: 120,
  async run({ brandId, day }, { db, services: { sealer } }: TaskContext) {
    const digest = (await readNight(db, { brandId, day }))?.digest;
    if (!digest) return { skipped: 'the night was not judged' };
    const { brand, is_final } = digest;
    const variables = { brand, day, is_final, lines: fitting(digestLines(digest)) };
    const recipients = await digestRecipients(db, brandId);
    return db.finish(async (tx) => {
      let letters = 0;
      for (const [connectionId, of] of byConnection(recipients)) {
        const queued = await queueLetters(
          tx,
          sealer,
          { brandId, connectionId },
          {
            recipients: of.map((one) => ({ to: addressOf(sealer, one), hash: one.hash })),
            ...{
              template: 'digest',
              language: of[0]?.language ?? null,
              campaign: null,
              variables,
              once: `digest ${day}`,
            },
          },
        );
        letters += queued.length;
      }
      return { letters };
    });
  },
});

/** What fits into a letter; `nights show`, which it names, has the rest. */
function fitting(lines: readonly string[]): string[] {
  const left = lines.length - LINES_MAX;
  const kept = lines.slice(0, LINES_MAX).map((line) => line.slice(0, LINE_CHARS_MAX).toWellFormed());
  return left <= 0 ? kept : [...kept, `and ${count(left, 'more line', 'more lines')}`];
}

function byConnection(recipients: readonly DigestRecipient[]): Map<string, DigestRecipient[]> {
  return Map.groupBy(recipients, ({ connectionId }) => connectionId);
}

/** Nights that were promised to nobody, long after the fact, are told to nobody. The last of its transaction. */
export async function queueDigest(tx: Tx, night: Night, now: Date): Promise<void> {
  const { brandId, day } = night;
  if ((await wasPromised(tx, night)) && (await takeDigest(tx, night, now)))
    await enqueue(tx, sendDigest, { brandId, day });
}
