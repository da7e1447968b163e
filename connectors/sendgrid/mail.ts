/**
 * Sends mail, and looks up what was sent. SendGrid knows no request again: a letter bears our token as an argument, which
 * its events and its log repeat. https://www.twilio.com/docs/sendgrid/api-reference/mail-send
 */
import type { NightshiftError } from '#runtime/errors.ts';
import { quote } from '#runtime/scrub.ts';
import {
  AnswerNotUnderstood,
  Denied,
  ProviderUnavailable,
  RedirectRefused,
  RequestRefused,
} from '../kit/errors.ts';
import { isObject } from '../kit/fields.ts';
import type { HttpAnswer } from '../kit/http/http.ts';
import { RetryableError } from '../kit/http/retry.ts';
import {
  type LookedUp,
  type Mail,
  type MailContext,
  MailPaused,
  type OutgoingLetter,
  type Sending,
  type Sought,
} from '../kit/mail.ts';
import { bodyOf, ObjectMissing } from './api/answers.ts';
import { openSendGrid, type Params } from './api/client.ts';
import { recordsOf } from './api/lists.ts';
import { type Logs, openLogs } from './events/logs.ts';
import { PROVIDER } from './key.ts';

const SEND = '/v3/mail/send';
const LOGS = '/v3/logs';
/** From the first byte to the answer. A letter that is looked up must not be under way any more. */
const SEND_MS_MAX = 60_000;
const ACCEPTED = 202;
/** An account without credits is answered as one whose key is wrong. */
const OUT_OF_CREDITS = /maximum credits exceeded/i;
/** Clocks differ, so a letter may be dated before it was queued. */
const EARLIER_MS = 60 * 60_000;
/** To one recipient since it was queued. */
const LISTED_MAX = 1_000;
/** Of these each that is not known is asked for its arguments. */
const LETTERS_MAX = 50;

export const TOKEN = 'ns_mail';

export const mail: Mail = {
  scopes: { send: 'mail.send', lookUp: 'messages.read' },
  isTemplate: (name) => /^d-[\w-]{1,80}$/.test(name),
  templateForm: 'd-ID of a dynamic template',
  turn: (context) => openSendGrid(context).turn(SEND),
  async send(context, letter) {
    // Not by the signal of the job: what is broken off is neither sent nor not.
    const sendgrid = openSendGrid({ ...context, signal: AbortSignal.timeout(SEND_MS_MAX) });
    try {
      return outcomeOf(await sendgrid.postOnce(SEND, requestOf(letter)), context);
    } catch (error) {
      return outcomeOfFailure(error);
    }
  },
  lookUp: async (context, letter) => {
    const found = await ifTold(async () => find(await openLogs(context, openSendGrid(context)), letter));
    // It is not said that a parent's key sees what its customer accounts have sent.
    if (found.state === 'absent' && context.connection.auth === 'customer')
      return {
        state: 'untold',
        why: 'the log of a customer account may not show to its parent',
        never: false,
      };
    return found;
  },
};

function requestOf({ token, to, recipient, from, groupId, campaign, body }: OutgoingLetter): object {
  const args = {
    [TOKEN]: token,
    ns_recipient: recipient,
    ...(campaign !== null && { ns_campaign: campaign }),
  };
  const isOurs = 'subject' in body;
  return {
    personalizations: [
      {
        to: [{ email: to }],
        custom_args: args,
        ...(!isOurs && { dynamic_template_data: body.variables }),
      },
    ],
    from: { email: from.address, ...(from.name !== null && { name: from.name }) },
    ...(isOurs
      ? {
          subject: body.subject,
          content: [
            { type: 'text/plain', value: body.text },
            { type: 'text/html', value: body.html },
          ],
        }
      : { template_id: body.template }),
    // Statistics of categories are kept apart, and by them figures of campaigns are made.
    ...(campaign !== null && { categories: [campaign] }),
    ...(groupId !== null && { asm: { group_id: Number(groupId) } }),
  };
}

function outcomeOf(answer: HttpAnswer, { connection }: MailContext): Sending {
  const { status, headers, text } = answer;
  if (status === ACCEPTED) {
    const id = headers['x-message-id'];
    return { outcome: 'sent', messageId: typeof id === 'string' && id !== '' ? id : null };
  }
  const { account } = connection;
  if (status < 300)
    // 200 is that of a letter that is only checked
    return { outcome: 'unknown', error: notUnderstood(SEND, `status ${status} is not ${ACCEPTED}`) };
  if (status === 403 || (status === 401 && OUT_OF_CREDITS.test(text)))
    return { outcome: 'not_sent', error: new MailPaused(PROVIDER, account, `${status} ${quote(text)}`) };
  try {
    bodyOf(answer, { connection, account, path: SEND });
    throw new TypeError(`status ${status} is no error`);
  } catch (error) {
    if (error instanceof ObjectMissing || error instanceof RequestRefused)
      return { outcome: 'refused', reason: `${PROVIDER} answered ${quote(error.message)}` };
    if (!(error instanceof RetryableError)) return { outcome: 'not_sent', error: error as Error };
    // After 5xx nobody knows how far it got.
    if (status === 429) return { outcome: 'not_sent', error: error.failure };
    return { outcome: 'unknown', error: error.failure };
  }
}

function outcomeOfFailure(error: unknown): Sending {
  if (error instanceof RedirectRefused) return { outcome: 'not_sent', error };
  const failure = error instanceof RetryableError ? error.failure : undefined;
  if (failure !== undefined && isUnconnected(failure.cause)) return { outcome: 'not_sent', error: failure };
  return { outcome: 'unknown', error: failure ?? lost(error) };
}

function lost(error: unknown): NightshiftError {
  const what = error instanceof Error ? error.message : String(error);
  return new ProviderUnavailable(PROVIDER, `${quote(what)} at ${SEND}`, { cause: error });
}

const CAUSES_MAX = 5;

/** Whether there was never a connection, so that not a byte of the letter has left. */
function isUnconnected(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > CAUSES_MAX) return false;
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.every((one) => isUnconnected(one, depth + 1));
  const { code, syscall, cause } = error as { code?: string; syscall?: string; cause?: unknown };
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || syscall === 'connect' || syscall === 'getaddrinfo') return true;
  return isUnconnected(cause, depth + 1);
}

/** What is doubtful hides no letter that is there; but a letter that may be ours is not missing. */
async function find(logs: Logs, sought: Sought): Promise<LookedUp> {
  const listed = await candidatesOf(logs, sought);
  const ids = listed.filter((id) => !sought.others.has(sendOf(id)));
  const isTooMany = listed.length >= LISTED_MAX || ids.length > LETTERS_MAX;
  let doubt = isTooMany ? 'more letters to one recipient than are looked at' : undefined;
  for (const id of ids.slice(0, LETTERS_MAX)) {
    const { tokens, unclear } = await tokensOf(logs, id, sought);
    if (tokens?.includes(sought.token)) return { state: 'found', messageId: sendOf(id) };
    doubt ??= unclear;
  }
  if (doubt !== undefined) throw notUnderstood(LOGS, `it has ${doubt}`);
  return { state: 'absent' };
}

/** What the answer to the sending request called it. */
const sendOf = (id: string): string => id.split('.')[0] ?? id;

function candidatesOf({ sendgrid, subuser }: Logs, { to, since, until }: Sought): Promise<string[]> {
  const [from, before] = [since.getTime() - EARLIER_MS, until.getTime()].map((ms) =>
    new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z'),
  );
  const created = 'sg_message_id_created_at';
  const query = `to_email = "${to}" AND ${created} >= TIMESTAMP "${from}" AND ${created} < TIMESTAMP "${before}"`;
  const of = subuser === undefined ? {} : { subusers: [subuser] };
  return sendgrid.post(LOGS, { query, limit: LISTED_MAX, ...of }, (body) =>
    recordsOf(LOGS, isObject(body) ? body.messages : undefined).map(({ sg_message_id }) =>
      String(sg_message_id),
    ),
  );
}

type Tokens = { tokens?: unknown[]; unclear?: string };

/** Arguments are the letter's, or its events'. Ours always bears some. */
async function tokensOf({ sendgrid, subuser }: Logs, id: string, { from }: Sought): Promise<Tokens> {
  const params: Params = subuser === undefined ? [] : [['subuser', String(subuser)]];
  try {
    return await sendgrid.get(`${LOGS}/${encodeURIComponent(id)}`, params, (body) => {
      const { events, from_email: by, ...letter } = isObject(body) ? body : {};
      const bearers = [letter, ...(Array.isArray(events) ? events.filter(isObject) : [])];
      const args = bearers.flatMap(({ custom_args }) => (isObject(custom_args) ? [custom_args] : []));
      const isBare = args.every((one) => Object.keys(one).length === 0);
      const mayBeOurs = from === null || by == null || String(by).toLowerCase() === from.toLowerCase();
      if (isBare && mayBeOurs) return { unclear: 'a letter of our sender without arguments' };
      return { tokens: args.map((one) => one[TOKEN]) };
    });
  } catch (error) {
    if (error instanceof ObjectMissing) return { unclear: 'a letter that is listed and cannot be read' };
    throw error;
  }
}

function notUnderstood(path: string, what: string): NightshiftError {
  return new AnswerNotUnderstood(PROVIDER, path, what, 'retry');
}

async function ifTold(ask: () => Promise<LookedUp>): Promise<LookedUp> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Denied || error instanceof ObjectMissing)
      return {
        state: 'untold',
        why: `the log is denied (${quote(error instanceof Denied ? error.answer : error.message)}), which takes messages.read`,
        never: true,
      };
    throw error;
  }
}
