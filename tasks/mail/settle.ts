/**
 * Finds out what became of a letter whose attempt was interrupted: by an event that bears its token, or by the log of the
 * provider. A log may lag, so that a letter is missing proves nothing at first. Only a log that can be read and
 * does not have it after the window makes it be sent again. Who cannot be told becomes uncertain: an operator decides.
 */
import type { LookedUp, Sought } from '#connectors/kit/mail.ts';
import type { ErrorCode } from '#runtime/error_list.ts';
import { coded, messageOf, NightshiftError } from '#runtime/errors.ts';
import {
  endLetter,
  noteReason,
  otherMessages,
  queueAgain,
  takesEvents,
  toldByEvent,
} from '#sql/mail/attempts.ts';
import type { Letter, LetterKey } from '#sql/mail/letters.ts';
import { readSender } from '#sql/mail/senders.ts';
import { raiseUncertain, resolveUncertain } from '#sql/mail/uncertain.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';
import type { Tally, TaskContext } from '../task.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** After the attempt began. The last one decides; by then nothing of the attempt can be under way any more. */
const LOOKS_MS = [2, 5, 15, 30, 60, 120].map((minutes) => minutes * MINUTE_MS);
/** A log that lacks a letter for this long does not have it. */
export const WINDOW_MS = 120 * MINUTE_MS;
/** From then on a letter is too old to be sent again unasked, and its log entry may be gone. */
export const SURE_MS = 24 * HOUR_MS;
/** One that is uncertain is looked up for so long, and so often, in case that it is told after all. */
const UNCERTAIN_MS = 72 * HOUR_MS;
const UNCERTAIN_LOOK_MS = 6 * HOUR_MS;

export class MailUnsettled extends coded('NS_MAIL_UNSETTLED') {
  constructor({ mailId }: LetterKey, retryAfterMs: number, cause?: unknown) {
    super(`It is not known yet whether letter ${mailId} was sent: an attempt was interrupted.`, {
      hint: 'Nothing to do: it is looked up again, and not sent twice.',
      context: { mailId },
      retryAfterMs,
      cause,
    });
  }
}

/** It may be tried again at once. */
export class AttemptLate extends coded('NS_MAIL_UNSETTLED') {
  constructor({ mailId }: LetterKey) {
    super(`Letter ${mailId} was not sent: to record that it is on its way took too long.`, {
      hint: 'Nothing to do: it is tried again.',
      context: { mailId },
      retryAfterMs: 1_000,
    });
  }
}

export type Settling = {
  letter: Letter;
  context: TaskContext;
  /** The recipient. */
  to: string;
  lookUp(letter: Sought): Promise<LookedUp>;
};

/** `not sent`: it is queued again. Throws NS_MAIL_UNSETTLED until it can be told. */
export async function settle(settling: Settling): Promise<Tally | 'not sent'> {
  const { letter, context } = settling;
  const { elapsedMs, mailId } = letter;
  if (elapsedMs === null) throw new TypeError(`letter ${mailId} was never on its way`);
  const event = await toldByEvent(context.db, letter);
  if (event !== undefined) return found(settling, event.messageId, 'event');
  const [firstMs = 0] = LOOKS_MS;
  if (elapsedMs < firstMs) throw new MailUnsettled(letter, firstMs - elapsedMs);
  const looked = await look(settling);
  if (looked.state === 'found') return found(settling, looked.messageId, 'log');
  if (letter.state === 'uncertain') {
    if (elapsedMs < UNCERTAIN_MS) throw new MailUnsettled(letter, UNCERTAIN_LOOK_MS);
    return { state: 'uncertain' };
  }
  const untilMs = await patienceMs(looked, settling);
  if (elapsedMs < untilMs) throw new MailUnsettled(letter, untilNextMs(elapsedMs), looked.cause);
  if (looked.state === 'absent' && elapsedMs < SURE_MS) return again(settling);
  const why =
    looked.state === 'absent' ? 'the attempt is too long ago for the log to prove anything' : looked.why;
  return uncertain(settling, why);
}

/** A log that cannot be read now. All else is no word of the provider's, or holds the connection. */
const UNREADABLE: ReadonlySet<ErrorCode> = new Set([
  ...(['NS_PROVIDER_UNAVAILABLE', 'NS_RATE_LIMITED', 'NS_REQUEST_REFUSED'] as const),
  ...(['NS_ANSWER_NOT_UNDERSTOOD', 'NS_ANSWER_TOO_LARGE'] as const),
]);

type Unreadable = { state: 'unreadable'; why: string };
type Look = (LookedUp | Unreadable) & { cause?: unknown };

async function look({ letter, context, to, lookUp }: Settling): Promise<Look> {
  const from = (await readSender(context.db, letter))?.address ?? null;
  const until = new Date(context.now().getTime() - (letter.elapsedMs ?? 0) + SURE_MS);
  const others = await otherMessages(context.db, letter);
  try {
    // Of whatever attempt: an earlier one may show late.
    return await lookUp({ token: letter.mailId, to, from, since: letter.queuedAt, until, others });
  } catch (error) {
    if (!(error instanceof NightshiftError) || !UNREADABLE.has(error.code)) throw error;
    return { state: 'unreadable', why: `the log cannot be read: ${messageOf(error)}`, cause: error };
  }
}

/** How long it is waited for somebody to tell: where the log never does, events may if they are delivered. */
async function patienceMs(looked: Look, { letter, context }: Settling): Promise<number> {
  if (looked.state === 'unreadable') return SURE_MS;
  const isHopeless = looked.state === 'untold' && looked.never && !(await takesEvents(context.db, letter));
  return isHopeless ? 0 : WINDOW_MS;
}

function untilNextMs(elapsedMs: number): number {
  const next = LOOKS_MS.find((ms) => ms > elapsedMs);
  return next === undefined ? HOUR_MS : next - elapsedMs;
}

function found(
  { letter, context }: Settling,
  messageId: string | null,
  toldBy: 'event' | 'log',
): Promise<Tally> {
  return context.db.finish(async (tx) => {
    // Also if an operator has queued it again meanwhile.
    const from = ['sending', 'uncertain', 'queued'] as const;
    if (!(await endLetter(tx, letter, { from, state: 'sent', messageId, toldBy })))
      return { skipped: 'somebody else decided what became of it' };
    const alert = letter.state === 'uncertain' ? await resolveUncertain(tx, letter) : undefined;
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
    return { state: 'sent', told_by: toldBy };
  });
}

async function again({ letter, context }: Settling): Promise<'not sent'> {
  const reason = 'an attempt was interrupted, and the log does not have it: it is sent again';
  await context.db.transaction((tx) => queueAgain(tx, letter, { from: ['sending'], reason }));
  return 'not sent';
}

/** The run goes on as a look, now and then. */
async function uncertain({ letter, context }: Settling, why: string): Promise<never> {
  const reason = `an attempt to send it was interrupted, and nobody can say whether it was sent: ${why}`;
  await context.db.transaction(async (tx) => {
    if (!(await noteReason(tx, letter, { reason, isUncertain: true }))) return;
    const alert = await raiseUncertain(tx, letter, reason);
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: false });
  });
  throw new MailUnsettled(letter, UNCERTAIN_LOOK_MS);
}
