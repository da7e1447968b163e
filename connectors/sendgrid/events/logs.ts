/**
 * Email Logs: what SendGrid remembers of each letter for 30 days. There are no pages: a window that comes back full is
 * halved. https://www.twilio.com/docs/sendgrid/api-reference/email-logs
 */
import { type Fields, isObject } from '../../kit/fields.ts';
import { ObjectMissing } from '../api/answers.ts';
import type { SendGrid } from '../api/client.ts';
import { recordsOf } from '../api/lists.ts';

const LIST = '/v3/logs';
const FULL = 1_000;
export const HOUR_MS = 60 * 60_000;
const SECOND_MS = 1_000;
const STATUSES = ['processed', 'deferred', 'delivered', 'dropped', 'bounced', 'blocked'];

/** A letter: its id, and the furthest that it has come. */
export type Logged = { id: string; status: string };

export type Span = { from: number; before: number };

export type LoggedSpan = { letters: readonly Logged[]; isComplete: boolean };

/** Letters that were made in a span, in milliseconds. */
export async function lettersOf(sendgrid: SendGrid, span: Span, more = ''): Promise<LoggedSpan> {
  const [from, before] = [span.from, span.before].map((ms) =>
    new Date(ms).toISOString().replace('.000Z', 'Z'),
  );
  const within = `sg_message_id_created_at >= TIMESTAMP "${from}" AND sg_message_id_created_at < TIMESTAMP "${before}"`;
  const letters = await sendgrid.post(LIST, { query: within + more, limit: FULL }, (body) =>
    recordsOf(LIST, isObject(body) ? body.messages : undefined).map(({ sg_message_id, status }) => ({
      ...{ id: String(sg_message_id), status: String(status) },
    })),
  );
  if (letters.length < FULL) return { letters, isComplete: true };
  const middle = span.from + Math.floor((span.before - span.from) / 2 / SECOND_MS) * SECOND_MS;
  if (middle > span.from)
    return together([
      await lettersOf(sendgrid, { from: span.from, before: middle }, more),
      await lettersOf(sendgrid, { from: middle, before: span.before }, more),
    ]);
  if (more !== '') return { letters, isComplete: false };
  const parts: LoggedSpan[] = [];
  for (const status of STATUSES) parts.push(await lettersOf(sendgrid, span, ` AND status IN ('${status}')`));
  return together(parts);
}

function together(parts: readonly LoggedSpan[]): LoggedSpan {
  return {
    letters: parts.flatMap(({ letters }) => letters),
    isComplete: parts.every(({ isComplete }) => isComplete),
  };
}

/** The events of a letter as the webhook would have brought them; none if it is too old. */
export async function eventsOfLetter(sendgrid: SendGrid, id: string): Promise<Fields[]> {
  try {
    return await sendgrid.get(`${LIST}/${encodeURIComponent(id)}`, [], (body) =>
      asPushed(isObject(body) ? body : {}),
    );
  } catch (error) {
    if (error instanceof ObjectMissing) return [];
    throw error;
  }
}

/** `received`, which no webhook brings, is left out; what only the letter says is added to each event. */
function asPushed({ events, custom_args, ...letter }: Fields): Fields[] {
  const given = Array.isArray(events) ? events.filter(isObject) : [];
  const args = isObject(custom_args) ? custom_args : {};
  const common = {
    ...{ email: letter.to_email, category: letter.category, sg_message_id: letter.sg_message_id },
    ...(letter.template_id !== undefined && { template_id: letter.template_id }),
    ...(letter.asm_group_id !== undefined && { asm_group_id: letter.asm_group_id }),
  };
  return given.filter(({ event }) => event !== 'received').map((event) => ({ ...args, ...common, ...event }));
}
