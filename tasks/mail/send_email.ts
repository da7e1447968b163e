/**
 * Sends a letter, once. No provider knows a request again, so the letter is recorded as on its way, and that is
 * committed, before it is handed over. Whoever finds it on its way looks it up first (`settle.ts`): a run may have died
 * anywhere, or its answer got lost. What the provider certainly has not got is tried again.
 */
import { z } from 'zod';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import type { Mail, MailContext, OutgoingLetter, Sending } from '#connectors/kit/mail.ts';
import { assertAccount } from '#connectors/providers.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { beginAttempt, endLetter, noteReason, queueAgain } from '#sql/mail/attempts.ts';
import { contentOf, type Letter, readLetter } from '#sql/mail/letters.ts';
import { readSender, SenderMissing } from '#sql/mail/senders.ts';
import { noteAccountAsked } from '#sql/tenants/account_facts.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { defineTask, type Tally, type TaskContext } from '../task.ts';
import { AttemptLate, settle } from './settle.ts';
import { bodyOfLetter } from './templates.ts';

/** A request must begin soon after it was recorded: who looks the letter up counts from then on. */
const BEGIN_MS_MAX = 20_000;

/** What waited for longer, for a key or for credits, says what nobody expects any more. */
const WAIT_DAYS_MAX = 3;
const DAY_MS = 24 * 60 * 60_000;

export const sendEmail = defineTask({
  name: 'send_email',
  payload: z.strictObject({ brandId: z.uuid(), connectionId: z.uuid(), mailId: z.uuid() }),
  lane: ({ brandId, connectionId }) => `mail:${brandId}:${connectionId}`,
  key: ({ brandId, connectionId, mailId }) => `${brandId}:${connectionId}:${mailId}`,
  attempts: 25,
  timeoutSeconds: 15 * 60,
  async run(which, context): Promise<Tally> {
    const letter = await readLetter(context.db, which);
    if (letter === undefined) return { skipped: 'it is gone' };
    if (letter.state === 'queued') return send(letter, context);
    if (letter.state !== 'sending' && letter.state !== 'uncertain') return { state: letter.state };
    const { mail, asking } = await openMail(letter, context);
    const to = contentOf(context.services.sealer, letter)?.to ?? '';
    const settled = await settle({ letter, context, to, lookUp: (one) => mail.lookUp(asking, one) });
    return settled === 'not sent' ? send({ ...letter, state: 'queued' }, context) : settled;
  },
});

async function send(letter: Letter, context: TaskContext): Promise<Tally> {
  const { db, now } = context;
  if (now().getTime() - letter.queuedAt.getTime() > WAIT_DAYS_MAX * DAY_MS)
    return fail(letter, context, `it is too old: it waited for ${WAIT_DAYS_MAX} days; mail retry sends it`);
  const { mail, asking, connection, stats } = await openMail(letter, context);
  const ready = await outgoing(letter, mail, context, connection.name);
  if ('unfit' in ready) return fail(letter, context, ready.unfit);
  await mail.turn(asking);
  const begunAt = performance.now();
  const begun = await db.transaction((tx) => beginAttempt(tx, letter));
  if (begun === undefined) return { skipped: 'somebody else decided what becomes of it' };
  if ('told' in begun) return { state: 'sent', told_by: begun.told };
  if ('suppressed' in begun) return { state: 'suppressed', reason: begun.suppressed };
  const isLate = performance.now() - begunAt > BEGIN_MS_MAX;
  const sending: Sending = isLate
    ? { outcome: 'not_sent', error: new AttemptLate(letter) }
    : await mail.send(asking, ready);
  return record(letter, sending, context, { attempt: begun.attempt, requests: stats.requests });
}

async function record(
  letter: Letter,
  sending: Sending,
  context: TaskContext,
  figures: { attempt: number; requests: number },
): Promise<Tally> {
  const { db } = context;
  switch (sending.outcome) {
    case 'sent':
      return db.finish(async (tx) => {
        const { messageId } = sending;
        await endLetter(tx, letter, { from: ['sending'], state: 'sent', messageId, toldBy: 'answer' });
        return { state: 'sent', ...figures };
      });
    case 'refused':
      return fail(letter, context, sending.reason, figures);
    case 'not_sent':
      await db.transaction((tx) =>
        queueAgain(tx, letter, { from: ['sending'], reason: messageOf(sending.error) }),
      );
      throw sending.error;
    case 'unknown':
      await db.transaction((tx) => noteReason(tx, letter, { reason: messageOf(sending.error) }));
      throw sending.error; // it stays on its way, and the next run looks it up
  }
}

function fail(letter: Letter, { db }: TaskContext, reason: string, figures = {}): Promise<Tally> {
  return db.finish(async (tx) => {
    await endLetter(tx, letter, { from: ['queued', 'sending'], state: 'failed', reason });
    return { state: 'failed', ...figures, incomplete: reason };
  });
}

/** The account of the key is asked for first: in the log of another one every letter of ours is missing. */
async function openMail(letter: Letter, { db, services, signal, now }: TaskContext) {
  const connection = await openConnection(db, letter, services);
  const { mail, title } = services.providers.providerOf(connection.provider);
  if (mail === undefined) throw new TypeError(`${title} sends no mail`);
  const stats = newRequestStats();
  const asking: MailContext = { connection, db, sealer: services.sealer, signal, stats, now };
  if (await assertAccount(services.providers, { ...asking, warn: () => {} }))
    await db.transaction((tx) => noteAccountAsked(tx, connection, now()));
  return { mail, asking, connection, stats };
}

type Ready = OutgoingLetter | { unfit: string };

/** What cannot be sent as it is will not be sendable later either. */
async function outgoing(
  letter: Letter,
  mail: Mail,
  { db, services }: TaskContext,
  connection: string,
): Promise<Ready> {
  const { mailId, recipient, campaign, template, language } = letter;
  const content = contentOf(services.sealer, letter);
  const from = await readSender(db, letter);
  if (content === undefined) return { unfit: 'its address is not kept any more' };
  if (from === undefined) return { unfit: messageOf(new SenderMissing(connection)) };
  try {
    const body = bodyOfLetter(mail, { template, language, variables: content.variables });
    return { token: mailId, to: content.to, recipient, from, groupId: from.groupId, campaign, body };
  } catch (error) {
    if (error instanceof NightshiftError) return { unfit: error.message };
    throw error;
  }
}
