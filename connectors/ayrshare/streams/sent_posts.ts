/**
 * Posts that were sent through Ayrshare: what became of them, and the posts of networks that give no list of their own.
 * It has no cursor, and does not say which of its dates a window is of, so windows overlap.
 * https://www.ayrshare.com/docs/apis/history/get-history
 */
import { column, columnsOf, recordTable, rest } from '../../kit/columns.ts';
import { type Fields, instant, isObject, text } from '../../kit/fields.ts';
import { contentOf, resultOf } from '../../kit/records.ts';
import type { Page } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import type { Ayrshare } from '../api/client.ts';
import { ayrshareStream, saved } from '../stream.ts';
import { answered, isDue } from '../sync/networks.ts';
import { daysBefore, isDaysAgo, type Run, today, withNetwork } from '../sync/sync_state.ts';
import { postId, posts, sentPost } from './post_rows.ts';

const ALL = 'history';
const UNLISTED: ReadonlySet<string> = new Set(['gmb', 'reddit', 'telegram']);
const OVERLAP_MS = 2 * 60 * 60_000;
/** Status and deletion change later. */
const AGAIN_DAYS = 90;
const WEEK_DAYS = 7;
/** Ayrshare exists since 2020. */
const FIRST = new Date('2020-01-01T00:00:00Z');
const FEW = 25;
const MANY = 1_000;
/** A window is halved until it holds fewer than the limit. */
const WINDOW_MS_MIN = 60_000;

const instantIfAny = columnsOf('timestamptz', (record, key) =>
  typeof record[key] === 'string' ? instant(record, key) : null,
);

const sentPosts = recordTable({
  name: 'raw.ayrshare_sent_posts',
  key: ['id'],
  observed: true,
  personal: null,
  columns: {
    id: columnsOf('text', text)('id'),
    status: columnsOf('text', text)('status'),
    created_at: columnsOf('timestamptz', instant)('created'),
    scheduled_at: instantIfAny('scheduleDate'),
    platforms: column('text[]', ({ platforms }) =>
      Array.isArray(platforms) ? platforms.filter((one) => typeof one === 'string') : [],
    ),
    payload: rest(new Set(['id', 'status', 'created', 'scheduleDate', 'platforms', 'refId'])),
  },
});

type Window = { from: Date; to: Date };

export const sentPostsStream = ayrshareStream({
  name: 'sent_posts',
  tables: [sentPosts],
  async *read(run, ayrshare) {
    const { context, position } = run;
    const now = context.now();
    const { window } = context;
    if (window) return yield* readWindow(run, ayrshare, { from: window.since, to: window.until });
    const isFirst = run.phase === 'first_load';
    const isLong = isFirst || isDaysAgo(context, position.longDay, WEEK_DAYS);
    if (!isLong && !isDue(position.networks[ALL], now)) return yield saved(run, {});
    const since = new Date(Date.parse(position.changesTo ?? FIRST.toISOString()) - OVERLAP_MS);
    const from = isFirst ? FIRST : isLong ? daysBefore(now, AGAIN_DAYS) : since;
    yield* readWindow(run, ayrshare, { from, to: now });
    if (isLong) yield* readWindow(run, ayrshare, { from, to: now }, { status: 'deleted' });
    const days = { day: today(context), ...(isLong && { longDay: today(context) }) };
    yield saved(run, { ...run.position, ...days, changesTo: now.toISOString() });
  },
});

async function* readWindow(
  run: Run,
  ayrshare: Ayrshare,
  { from, to }: Window,
  more: Record<string, string> = {},
  limit = FEW,
): AsyncGenerator<Page> {
  const params = { startDate: stamp(from), endDate: stamp(to), limit: String(limit), ...more };
  const { body, sentAt } = await ayrshare.get('/history', params);
  const records = Array.isArray(body.history) ? body.history.filter(isObject) : [];
  run.position = withNetwork(run.position, ALL, answered(body, sentAt));
  if (records.length >= limit && limit < MANY)
    return yield* readWindow(run, ayrshare, { from, to }, more, MANY);
  if (records.length >= limit && to.getTime() - from.getTime() > 2 * WINDOW_MS_MIN) {
    const middle = new Date((from.getTime() + to.getTime()) / 2);
    yield* readWindow(run, ayrshare, { from, to: middle }, more, MANY);
    return yield* readWindow(run, ayrshare, { from: middle, to }, more, MANY);
  }
  yield* pagesOf(run, records, sentAt);
  if (records.length >= limit)
    yield { ...emptyPage(run), incomplete: `Ayrshare has ${limit} posts and more at ${params.startDate}` };
}

function* pagesOf(run: Run, records: readonly Fields[], sentAt: Date): Generator<Page> {
  const sent = records.map((record) =>
    resultOf(record, () => ({
      ...{ id: text(record, 'id'), changedAt: sentAt },
      rows: { [sentPosts.name]: [sentPosts.rowOf(record)] },
    })),
  );
  yield { ...emptyPage(run), ...contentOf(sent) };
  const results = records.flatMap((record) =>
    unlistedOf(record, 'success').map((post) =>
      sentPost(String(post.platform), { ...record, created: goneOutAt(record), ...post }, sentAt),
    ),
  );
  // One that cannot be read is set aside as the post that was sent.
  const { items } = contentOf(results);
  const deleted = records.filter(({ status }) => status === 'deleted');
  const deletions = deleted
    .flatMap((record) => unlistedOf(record))
    .map(({ platform, id }) => ({ id: postId(String(platform), String(id)), deletedAt: sentAt }));
  yield { ...emptyPage(run), items, deletions, target: { stream: 'ayrshare.posts', tables: ofPosts } };
}

const ofPosts = [posts];

/** A scheduled one was written before it went out. */
function goneOutAt({ type, scheduleDate, created }: Fields): unknown {
  return type === 'scheduled' && typeof scheduleDate === 'string' ? scheduleDate : created;
}

/** Its posts on networks that give no list of their own; with `wanted` those in this state, if it is not deleted. */
function unlistedOf({ status, postIds }: Fields, wanted?: string): Fields[] {
  const ids = Array.isArray(postIds) ? postIds.filter(isObject) : [];
  return ids.filter(
    ({ platform, status: of, id }) =>
      (wanted === undefined || (of === wanted && status !== 'deleted')) &&
      typeof id === 'string' &&
      typeof platform === 'string' &&
      UNLISTED.has(platform),
  );
}

function stamp(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}
