/** Brings back from Email Logs what the webhook has lost. */
import { personKeyOf } from '#sql/tenants/persons.ts';
import type { Fields } from '../../kit/fields.ts';
import { rowsBetween, storedColumn } from '../../kit/stored/stored.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { addDays, dayIn } from '../api/calendar.ts';
import { PROVIDER } from '../key.ts';
import type { Step } from '../stream.ts';
import { CATEGORY, statistics } from '../streams/statistics.ts';
import type { SendGridRun } from '../sync/sync_run.ts';
import { events, eventsOf } from './event.ts';
import { type Judged, madeOn, startOf } from './gaps.ts';
import { eventsOfLetter, HOUR_MS, type Logged, type Logs, lettersOf } from './logs.ts';

/** Events of a day may be of letters that were made some days before. */
const LETTER_DAYS = 3;
/** With more letters a day their list is asked for by the hour. */
const LETTERS_PER_LIST = 500;
const DAY_MS = 24 * HOUR_MS;
/** Of a day; beyond them a full second of it stays incomplete. */
const CATEGORIES_MAX = 1_000;

/** What an event shows of how far a letter has come, in the words of the logs. */
const REACHED: Readonly<Record<string, string>> = {
  ...{ dropped: 'dropped', deferred: 'deferred', delivered: 'delivered', bounce: 'bounced' },
  ...{ processed: 'processed', open: 'delivered', click: 'delivered' },
};

/** What a run may still ask for. */
export type Left = { details: number; lists: number };

/**
 * Letters that we do not know, or that came further than our events say; none from before the day on which the webhook
 * began, because a few of their events would say less than the counts. Opens and clicks show in no list.
 */
export async function* repair(
  run: SendGridRun,
  logs: Logs,
  judged: Judged,
  { begun, left }: { begun: string; left: Left },
): AsyncGenerator<Step> {
  const { day } = judged;
  const until = startOf(addDays(day, 1), run.zone).getTime();
  const spanMs = madeOn(judged) > LETTERS_PER_LIST ? HOUR_MS : DAY_MS;
  const firstDay = [addDays(day, -LETTER_DAYS), begun].toSorted().at(-1) ?? day;
  const first = startOf(firstDay, run.zone).getTime();
  for (let from = first; from < until && left.details > 0 && left.lists > 0; from += spanMs) {
    const span = { from, before: Math.min(until, from + spanMs) };
    const { letters, isComplete } = await lettersOf({ ...logs, left }, span, (at) => categoriesAt(run, at));
    if (!isComplete) {
      const at = new Date(from).toISOString();
      yield { incomplete: `${PROVIDER} lists fewer letters than were made at ${at}` };
    }
    const lacking = (await lackingOf(run.context, letters)).slice(0, left.details);
    left.details -= lacking.length;
    if (lacking.length > 0)
      yield await eventsIn(
        run.context,
        logs,
        lacking.map(({ id }) => id),
      );
  }
}

/** The categories that the account had counts of on a day. */
async function categoriesAt({ context, zone }: SendGridRun, at: Date): Promise<string[]> {
  const day = dayIn(zone, at);
  const within = { by: 'day', from: day, to: day, where: { scope: CATEGORY } };
  const limits = { columns: ['name'], max: CATEGORIES_MAX };
  return (await rowsBetween(context, statistics.name, within, limits)).map(({ name }) => String(name));
}

async function lackingOf(context: StreamContext, letters: readonly Logged[]): Promise<Logged[]> {
  const among = letters.map(({ id }) => id);
  const columns = ['message_id', 'event', 'bounce_type'];
  const stored = await storedColumn(context, events.name, { by: 'message_id', among }, columns);
  const reached = new Set(
    stored.map(({ message_id, event, bounce_type }) => {
      return `${message_id} ${bounce_type === 'blocked' ? 'blocked' : REACHED[String(event)]}`;
    }),
  );
  return letters.filter(({ id, status }) => !reached.has(`${id} ${status}`));
}

/** The events of these letters, as the webhook would have brought them. */
export async function eventsIn(context: StreamContext, logs: Logs, letters: readonly string[]) {
  const { db, sealer, connection } = context;
  const { digestOf: personOf } = await personKeyOf(db, sealer, connection.brandId);
  const batch: Fields[] = [];
  for (const id of letters) batch.push(...(await eventsOfLetter(logs, id)));
  const campaignOf = await campaignsOf(context, letters);
  const known = batch.map((event) => ({ ...campaignOf(event), ...event }));
  return eventsOf(known, { personOf, source: 'logs', readAt: context.now() });
}

/** A log does not say which single send a letter is of: events of the same letter do, or of the same template. */
async function campaignsOf(
  context: StreamContext,
  letters: readonly string[],
): Promise<(event: Fields) => Fields> {
  const columns = ['message_id', 'template_id', 'single_send_id', 'single_send'];
  const stored = await storedColumn(context, events.name, { by: 'message_id', among: letters }, columns);
  const campaigns = new Map<unknown, Fields>();
  for (const { message_id, template_id, single_send_id, single_send } of stored) {
    if (single_send_id === null) continue;
    const campaign = { singlesend_id: single_send_id, singlesend_name: single_send };
    campaigns.set(message_id, campaign);
    if (template_id !== null) campaigns.set(`template ${template_id}`, campaign);
  }
  return ({ sg_message_id: letter, template_id: template }) =>
    campaigns.get(letter) ?? campaigns.get(`template ${template}`) ?? {};
}
