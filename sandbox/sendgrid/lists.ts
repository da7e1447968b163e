/** Lists of an account: by offset, by page token, or whole in one answer. */
import type { Draft } from '../ndjson.ts';
import { type Asked, Refusal } from '../tables/declare.ts';
import { assertCursor, pageOf, statesOf, wholeOf } from '../tables/lists.ts';
import { eventsOf } from './sent.ts';
import { type Settings, secondsOf } from './settings.ts';
import { statisticsOf } from './statistics.ts';

type Question = Asked<Settings>;

const PAGE_MAX = 500;

/** Rows that are there by now; one with `_at` appears then, and an id may stand on several lines. */
export function rows(asked: Question, file: string): Draft[] {
  const { account, now } = asked;
  const there = account.rows(file).filter(({ _at }) => _at === undefined || Date.parse(String(_at)) <= now);
  return statesOf(asked, there, (row) => row.id ?? row)
    .filter(({ _deleted }) => !_deleted)
    .map(({ _at, ...row }) => row);
}

export function wholeList(asked: Question, file: string): readonly Draft[] {
  return wholeOf(asked, rows(asked, file));
}

export function byOffset(asked: Question, all: readonly Draft[], limit = 50): readonly Draft[] {
  const size = numberIn(asked, 'limit', { usual: limit, least: 1, most: PAGE_MAX });
  return pageOf(asked, all, { from: numberIn(asked, 'offset'), size }).rows;
}

function numberIn(
  { query }: Question,
  name: string,
  { usual = 0, least = 0, most = Number.MAX_SAFE_INTEGER } = {},
): number {
  const number = Number(query.get(name) ?? usual);
  if (!Number.isInteger(number) || number < least || number > most) throw new Refusal(400, `invalid ${name}`);
  return number;
}

/** The full address of the next page, as SendGrid gives it, on its own host. */
export function byToken(
  asked: Question,
  all: readonly Draft[],
  { list, most }: { list: string; most?: number },
): unknown {
  const { query, path } = asked;
  const size = numberIn(asked, 'page_size', { usual: 25, least: 1, ...(most !== undefined && { most }) });
  if (query.has('page_token')) assertCursor(asked, 'page_token');
  const { rows, from, next, count } = pageOf(asked, all, { from: numberIn(asked, 'page_token'), size });
  const address = (at: number) => `https://api.sendgrid.com${path}?page_size=${size}&page_token=${at}`;
  const more = next === undefined ? {} : { next: address(next) };
  return { [list]: rows, _metadata: { self: address(from), count, ...more } };
}

export function subusers(asked: Question): unknown {
  const wanted = asked.query.get('username');
  const all = rows(asked, 'subusers').filter(({ username }) => wanted === null || username === wanted);
  return byOffset(asked, all);
}

export function categories(asked: Question): unknown {
  const named = statisticsOf(asked.account)('category', 'UTC', asked.now).keys();
  return byOffset(
    asked,
    [...named].sort().map((category) => ({ category })),
  );
}

/** The addresses of a group, as plain text. */
export function groupMembers(asked: Question): unknown {
  const [id] = asked.ids;
  if (!rows(asked, 'asm_groups').some((group) => String(group.id) === id))
    throw new Refusal(404, 'not found');
  const members = rows(asked, 'asm_suppressions').filter(({ group_id }) => String(group_id) === id);
  return wholeOf(asked, members).map(({ email }) => email);
}

/** As given; else those that the events bring. */
export function suppressed(asked: Question, list: string): unknown {
  const { query, now } = asked;
  const given = rows(asked, list);
  const [from, to] = [Number(query.get('start_time') ?? 0), Number(query.get('end_time') ?? now / 1000)];
  const all = given.length > 0 ? given : eventsOf(asked.account).flatMap((event) => entryOf(event, list));
  return byOffset(
    asked,
    all.filter(({ created }) => Number(created) >= from && Number(created) <= to),
    PAGE_MAX,
  );
}

function entryOf(event: Draft, list: string): Draft[] {
  const isBlock = event.type === 'blocked';
  const of: Record<string, string> = { spamreport: 'spam_reports', unsubscribe: 'unsubscribes' };
  const own = event.event === 'bounce' ? (isBlock ? 'blocks' : 'bounces') : of[String(event.event)];
  if (own !== list) return [];
  const { email, reason = '', status = '' } = event;
  return [{ created: secondsOf(event), email, ...(event.event === 'bounce' && { reason, status }) }];
}

/** Its single sends; without the plan there are none to ask for. */
export function marketing(asked: Question): Draft[] {
  return asked.account.settings.marketing ? rows(asked, 'singlesends') : [];
}

export function singleSends(asked: Question): unknown {
  return byToken(asked, marketing(asked).map(shortSend), { list: 'result' });
}

function shortSend({ send_to: _, email_config: __, ...short }: Draft): Draft {
  return { categories: [], send_at: null, is_abtest: false, abtest: null, ...short };
}

export function singleSend(asked: Question): unknown {
  const found = marketing(asked).find(({ id }) => id === asked.ids[0]);
  if (!found) throw new Refusal(404, 'not found');
  return {
    ...shortSend(found),
    send_to: { list_ids: [], segment_ids: [], all: true },
    email_config: {},
    ...found,
  };
}
