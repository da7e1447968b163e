/**
 * Email Logs: what SendGrid remembers of each letter for 30 days. There are no pages: a window that comes back full is
 * halved. https://www.twilio.com/docs/sendgrid/api-reference/email-logs
 */

import { Denied } from '../../kit/errors.ts';
import { type Fields, integer, isObject } from '../../kit/fields.ts';
import { ObjectMissing } from '../api/answers.ts';
import { openSendGrid, type Params, type SendGrid, type SendGridContext } from '../api/client.ts';
import { recordsOf } from '../api/lists.ts';
import { PROVIDER } from '../key.ts';

const LIST = '/v3/logs';
const SUBUSERS = '/v3/subusers';
const FULL = 1_000;
export const HOUR_MS = 60 * 60_000;
const SECOND_MS = 1_000;
const STATUSES = ['processed', 'deferred', 'delivered', 'dropped', 'bounced', 'blocked'];

/** How a quote in a query is written is not documented, so names with one are not asked for. */
const QUOTABLE = /^[^'"\\]+$/;

/** A letter: its id, and the furthest that it has come. */
export type Logged = { id: string; status: string };

export type Span = { from: number; before: number };

export type LoggedSpan = { letters: readonly Logged[]; isComplete: boolean };

/** Where the logs of an account are asked for: those of a subuser by the parent, which names it by its number. */
export type Logs = { sendgrid: SendGrid; subuser: number | undefined };

export async function openLogs(context: SendGridContext, sendgrid: SendGrid): Promise<Logs> {
  const { account, auth } = context.connection;
  if (auth !== 'subuser') return { sendgrid, subuser: undefined };
  const parent = openSendGrid(context, { asParent: true });
  const listed = await parent.get(SUBUSERS, [['username', account]], (body) => recordsOf(SUBUSERS, body));
  const found = listed.find(({ username }) => String(username).toLowerCase() === account.toLowerCase());
  if (found === undefined)
    throw new Denied(PROVIDER, context.connection, `the parent account lists no subuser ${account}`);
  return { sendgrid: parent, subuser: integer(found, 'id') };
}

/** `left`: how many lists may still be asked for. */
export type CountedLogs = Logs & { left: { lists: number } };

/** What is said of a span when no list is left to ask for. */
const NOT_ASKED: LoggedSpan = { letters: [], isComplete: false };

/** Names the categories that letters of an instant may have. */
export type CategoriesAt = (at: Date) => Promise<readonly string[]>;

/** Letters that were made in a span, in milliseconds. A second that is full is split by status, and then by category. */
export async function lettersOf(
  logs: CountedLogs,
  span: Span,
  categoriesAt: CategoriesAt,
): Promise<LoggedSpan> {
  if (logs.left.lists <= 0) return NOT_ASKED;
  const letters = await listed(logs, span);
  if (letters.length < FULL) return { letters, isComplete: true };
  const middle = span.from + Math.floor((span.before - span.from) / 2 / SECOND_MS) * SECOND_MS;
  if (middle > span.from)
    return together([
      await lettersOf(logs, { from: span.from, before: middle }, categoriesAt),
      await lettersOf(logs, { from: middle, before: span.before }, categoriesAt),
    ]);
  const categories = (await categoriesAt(new Date(span.from))).filter((name) => QUOTABLE.test(name));
  const parts: LoggedSpan[] = [];
  for (const status of STATUSES) {
    if (logs.left.lists <= 0) return together([...parts, NOT_ASKED]);
    const of = ` AND status ${among([status])}`;
    const some = await listed(logs, span, of);
    const isComplete = some.length < FULL;
    const byCategory = async (names: readonly string[]): Promise<LoggedSpan> => {
      if (logs.left.lists <= 0) return NOT_ASKED;
      const found = await listed(logs, span, `${of} AND categories ${among(names)}`);
      return { letters: found, isComplete: found.length < FULL };
    };
    parts.push(isComplete ? { letters: some, isComplete } : await split(some, categories, byCategory));
  }
  return together(parts);
}

type List = (categories: readonly string[]) => Promise<LoggedSpan>;

/** A full list by the categories of its letters. A letter of none of them says that there may be others of that kind. */
async function split(
  full: readonly Logged[],
  categories: readonly string[],
  list: List,
): Promise<LoggedSpan> {
  const found = await halved(categories, list);
  const ids = new Set(found.letters.map(({ id }) => id));
  return together([found, { letters: full, isComplete: full.every(({ id }) => ids.has(id)) }]);
}

async function halved(categories: readonly string[], list: List): Promise<LoggedSpan> {
  if (categories.length === 0) return { letters: [], isComplete: true };
  const found = await list(categories);
  if (found.isComplete || found === NOT_ASKED || categories.length === 1) return found;
  const middle = Math.ceil(categories.length / 2);
  return together([
    await halved(categories.slice(0, middle), list),
    await halved(categories.slice(middle), list),
  ]);
}

async function listed({ sendgrid, subuser, left }: CountedLogs, span: Span, more = ''): Promise<Logged[]> {
  const [from, before] = [span.from, span.before].map((ms) =>
    new Date(ms).toISOString().replace('.000Z', 'Z'),
  );
  const within = `sg_message_id_created_at >= TIMESTAMP "${from}" AND sg_message_id_created_at < TIMESTAMP "${before}"`;
  const of = subuser === undefined ? {} : { subusers: [subuser] };
  left.lists--;
  return sendgrid.post(LIST, { query: within + more, limit: FULL, ...of }, (body) =>
    recordsOf(LIST, isObject(body) ? body.messages : undefined).map(({ sg_message_id, status }) => ({
      ...{ id: String(sg_message_id), status: String(status) },
    })),
  );
}

function among(values: readonly string[]): string {
  return `IN (${values.map((value) => `'${value}'`).join(',')})`;
}

/** Each letter once: it may have several categories. */
function together(parts: readonly LoggedSpan[]): LoggedSpan {
  const byId = new Map(parts.flatMap(({ letters }) => letters).map((letter) => [letter.id, letter]));
  return { letters: [...byId.values()], isComplete: parts.every(({ isComplete }) => isComplete) };
}

/** The events of a letter as the webhook would have brought them; none if it is too old. */
export async function eventsOfLetter({ sendgrid, subuser }: Logs, id: string): Promise<Fields[]> {
  const params: Params = subuser === undefined ? [] : [['subuser', String(subuser)]];
  try {
    return await sendgrid.get(`${LIST}/${encodeURIComponent(id)}`, params, (body) =>
      asPushed(isObject(body) ? body : {}),
    );
  } catch (error) {
    if (error instanceof ObjectMissing) return [];
    throw error;
  }
}

/** What only the letter says, and each event of the webhook does. */
const OF_LETTER = ['template_id', 'asm_group_id', 'marketing_campaign_id', 'marketing_campaign_name'];

/**
 * `received`, which no webhook brings, is left out; what only the letter says is added to each event. Arguments of the
 * sender are nested here, and flat in what the webhook brings.
 */
function asPushed({ events, custom_args, ...letter }: Fields): Fields[] {
  const given = Array.isArray(events) ? events.filter(isObject) : [];
  const args = isObject(custom_args) ? custom_args : {};
  const common = {
    ...{ email: letter.to_email, category: letter.category, sg_message_id: letter.sg_message_id },
    ...Object.fromEntries(OF_LETTER.flatMap((key) => (letter[key] == null ? [] : [[key, letter[key]]]))),
  };
  return given
    .filter(({ event }) => event !== 'received')
    .map(({ custom_args: own, ...event }) => ({
      ...{ ...args, ...(isObject(own) && own), ...common, ...event },
    }));
}
