/**
 * Posts on the networks with their numbers, a hundred in a request. Each day all networks are read back to a month,
 * each week to three; in between, each hour the one that was unread for longest.
 * https://www.ayrshare.com/docs/apis/history/history-platform
 */

import { type Fields, isObject } from '../../kit/fields.ts';
import type { Page } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { Refused } from '../api/answers.ts';
import type { Ayrshare, Got } from '../api/client.ts';
import { ayrshareStream, saved } from '../stream.ts';
import {
  answered,
  assertProfile,
  isDue,
  linkedOf,
  orRefused,
  passed,
  readAt,
  refused,
  unlinked,
} from '../sync/networks.ts';
import {
  dayOf,
  daysBefore,
  isDayDue,
  isDaysAgo,
  type Network,
  type Run,
  readTo,
  type State,
  today,
  withNetwork,
} from '../sync/sync_state.ts';
import { posts, type ReadPost, readPost } from './post_rows.ts';
import { numberPages, postReadingItems, readMarks, snapshotItem } from './readings.ts';

/** Google Business, Reddit and Telegram give no list. */
const LISTING: ReadonlySet<string> = new Set([
  ...[
    'bluesky',
    'facebook',
    'instagram',
    'linkedin',
    'pinterest',
    'snapchat',
    'threads',
    'tiktok',
    'twitter',
  ],
  'youtube',
]);
const LIMIT = 100;
const PAGES_MAX = 1_000;
/** A page that comes instead of the one behind it is asked for again so often. */
const REPEATS_MAX = 3;
const DAILY_DAYS = 30;
const WEEKLY_DAYS = 90;
const WEEK_DAYS = 7;
/** The numbers of a story are there for so long. */
const STORY_MS = 24 * 60 * 60_000;
/** A cursor is good for a run; so is one that was left so recently. */
const CURSOR_MS = 10 * 60_000;

/** `name` is that of the network, with what is listed of it. */
type List = { name: string; platform: string; params: Record<string, string> };

export const postsStream = ayrshareStream({
  name: 'posts',
  tables: [posts],
  feeds: ['social', 'campaigns', 'rankings'],
  read: (run, ayrshare) => (isDayDue(run) ? readAll(run, ayrshare) : readNext(run, ayrshare)),
});

function listsOf(linked: readonly string[]): List[] {
  const lists = linked
    .filter((platform) => LISTING.has(platform))
    .map((platform) => ({ name: platform, platform, params: {} }));
  const stories = { name: 'instagram stories', platform: 'instagram', params: { dataType: 'stories' } };
  return linked.includes('instagram') ? [...lists, stories] : lists;
}

async function* readAll(run: Run, ayrshare: Ayrshare): AsyncGenerator<Page> {
  const { context } = run;
  const now = context.now();
  const day = today(context);
  const isLong = isDaysAgo(context, run.position.longDay, WEEK_DAYS);
  const until = run.phase === 'first_load' ? undefined : daysBefore(now, isLong ? WEEKLY_DAYS : DAILY_DAYS);
  // One that was linked later, or refused until now, has its history to come.
  const reachOf = ({ name }: List) => (run.position.networks[name]?.fullOn === undefined ? undefined : until);
  const linked = await linkedOf(context, ayrshare);
  yield { ...saved(run, {}), checks: unlinked(run, linked, ['account {}', 'account {} stories']) };
  const lists = listsOf(linked);
  const begun = context.full || context.window ? undefined : day;
  for (const list of lists) {
    // What a run that was broken off has read is not read again.
    if (begun !== undefined && run.position.networks[list.name]?.fullOn === begun) continue;
    yield* walk(run, ayrshare, list, context.window?.since ?? reachOf(list));
  }
  const names = lists.map(({ name }) => name);
  const changesTo = readTo(run.position, names, now);
  yield saved(run, { linked, day, ...(isLong && { longDay: day }), ...(changesTo && { changesTo }) });
}

async function* readNext(run: Run, ayrshare: Ayrshare): AsyncGenerator<Page> {
  const { linked, networks } = run.position;
  const now = run.context.now();
  const lists = listsOf(linked);
  const due = lists.filter(({ name }) => !networks[name]?.isFailing && isDue(networks[name], now));
  const askedAt = ({ name }: List) => networks[name]?.askedAt ?? '';
  const story = due.find(({ name }) => Date.parse(networks[name]?.storyAt ?? '') > now.getTime() - STORY_MS);
  const [next] = story ? [story] : due.toSorted((one, other) => (askedAt(one) < askedAt(other) ? -1 : 1));
  if (next) {
    const known = networks[next.name]?.readAt;
    yield* walk(run, ayrshare, next, known === undefined ? undefined : new Date(known));
  }
  const changesTo = readTo(
    run.position,
    lists.map(({ name }) => name),
    now,
  );
  yield saved(run, changesTo === undefined ? {} : { changesTo });
}

/** Reads a list until a page ends with a post from before `until`. */
async function* walk(
  run: Run,
  ayrshare: Ayrshare,
  list: List,
  until: Date | undefined,
): AsyncGenerator<Page> {
  const left = resumed(run, list);
  let next = left?.next;
  let begunAt = left && new Date(left.begunAt);
  let isAnew = false;
  let repeats = 0;
  const told = new Set<string>();
  for (let page = 0; page < PAGES_MAX; page++) {
    const got = await pageOf(ayrshare, list, next);
    if (got instanceof Refused && got.kind === 'failed' && next !== undefined && !isAnew) {
      isAnew = true;
      next = undefined; // a cursor is not good any more: from the beginning
      continue;
    }
    if (got instanceof Refused) {
      await assertProfile(run, ayrshare, got);
      return yield refusal(run, list, got);
    }
    const { records, cursor, sentAt, at } = got;
    begunAt ??= at;
    const read = records.map((record) => readPost(list.platform, record, { sentAt, readAt: at }));
    for (const one of read)
      if ('reading' in one) for (const { metric } of one.reading.metrics) told.add(metric);
    const times = read.flatMap((one) => ('reading' in one ? one.reading.publishedAt : []));
    const isOver = cursor === undefined || (until && times.some((time) => time < until));
    yield* pagesOf(run, read);
    const isWhole = until === undefined;
    if (isOver) return yield* ended(run, list, { ...got, begunAt, told, times, isWhole });
    repeats = cursor === next ? repeats + 1 : 0;
    if (repeats > REPEATS_MAX) {
      const incomplete = `${list.platform} gives the same page of posts again and again`;
      return yield { ...emptyPage(run), incomplete };
    }
    next = cursor;
    const walked = { at: sentAt.toISOString(), begunAt: begunAt.toISOString() };
    yield saved(run, { walk: { list: list.name, next: cursor, ...walked } }); // behind the rows that it stands for
  }
  yield { ...emptyPage(run), incomplete: `${list.platform} has more than ${PAGES_MAX} pages of posts` };
}

function resumed({ position: { walk: left }, context }: Run, { name }: List): State['walk'] {
  const isGood = left?.list === name && context.now().getTime() - Date.parse(left.at) < CURSOR_MS;
  return isGood && !context.window ? left : undefined;
}

type PostPage = Got & { records: Fields[]; cursor: string | undefined; at: Date };

async function pageOf(ayrshare: Ayrshare, list: List, next: string | undefined): Promise<PostPage | Refused> {
  const params = { limit: String(LIMIT), ...list.params, ...(next !== undefined && { next }) };
  const got = await orRefused([list.platform], () => ayrshare.get(`/history/${list.platform}`, params));
  if (got instanceof Refused) return got;
  const { body, sentAt } = got;
  const found = Array.isArray(body.posts) ? body.posts : body.history;
  const meta = isObject(body.meta) && isObject(body.meta.pagination) ? body.meta.pagination : body;
  const cursor = [meta.next, body.next].find((one) => typeof one === 'string' && one !== '');
  return {
    ...got,
    records: Array.isArray(found) ? found.filter(isObject) : [],
    cursor: typeof cursor === 'string' && meta.hasMore !== false ? cursor : undefined,
    at: readAt(body, sentAt),
  };
}

type Read = ReturnType<typeof readPost>;
type Walked = { begunAt: Date; told: ReadonlySet<string>; times: readonly Date[]; isWhole: boolean };

function* pagesOf(run: Run, read: readonly Read[]): Generator<Page> {
  const good = read.filter((one): one is ReadPost => 'item' in one);
  const rejected = read.flatMap((one) => ('rejection' in one ? one.rejection : []));
  yield { ...emptyPage(run), items: good.map(({ item }) => item), rejected };
  yield* numberPages(run, 'ayrshare.posts', {
    posts: good.flatMap(({ reading }) => postReadingItems(reading)),
    snapshots: good.map(({ reading, numbers }) =>
      snapshotItem(reading.id, 'history', reading.readAt, numbers),
    ),
  });
}

function* ended(
  run: Run,
  { name, platform }: List,
  { body, sentAt, at, begunAt, told, times, isWhole }: PostPage & Walked,
): Generator<Page> {
  const { timeZone } = run.context.connection;
  const story = times.toSorted((one, other) => other.getTime() - one.getTime())[0];
  const network: Network = {
    ...answered(body, sentAt),
    readAt: begunAt.toISOString(), // a post of later may stand on no page
    ...((isDayDue(run) || isWhole) && { fullOn: today(run.context) }),
    ...(name !== platform && story && { storyAt: story.toISOString() }),
  };
  const accounts = readMarks(platform, { readAt: at, readOn: dayOf(at, timeZone) }, told);
  yield* numberPages(run, 'ayrshare.posts', { accounts });
  const state = withNetwork(run.position, name, network);
  yield { ...saved(run, { ...state, walk: undefined }), checks: [passed(name)] };
}

function refusal(run: Run, { name }: List, error: Refused): Page {
  const { network, checks, incomplete } = refused(run, name, error, run.context.now());
  const page = { ...saved(run, withNetwork(run.position, name, network)), checks };
  return incomplete === undefined ? page : { ...page, incomplete };
}
