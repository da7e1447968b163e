/**
 * Numbers that the lists of posts leave out, asked for post by post: once a day, of posts that are young.
 * https://www.ayrshare.com/docs/apis/analytics/post
 */
import { type Fields, isUnfit } from '../../kit/fields.ts';
import { rejectionOf } from '../../kit/records.ts';
import { rowsBetween, storedRows } from '../../kit/stored/stored.ts';
import type { Page, Rejection } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { networksOf, Refused } from '../api/answers.ts';
import { getUser } from '../api/check.ts';
import type { Ayrshare } from '../api/client.ts';
import { postMetrics, readMetrics } from '../metrics.ts';
import { ayrshareStream, saved } from '../stream.ts';
import { orRefused, passed, readAt, refused } from '../sync/networks.ts';
import { dayOf, daysBefore, isDayDue, type Run, today, withNetwork } from '../sync/sync_state.ts';
import { posts } from './post_rows.ts';
import {
  numberPages,
  type PostReading,
  postReadingItems,
  postReadings,
  readMarks,
  snapshotItem,
} from './readings.ts';

const YOUNG_DAYS = 14;
/** Half of the requests of five minutes. */
const POSTS_MAX = 150;
const LOOKED_AT_MAX = 10_000;
/** So many answers go into the database at once. */
const CHUNK = 25;
/** If all of so many posts are unknown, the profile may be another one. */
const DOUBTED_MIN = 3;

type Post = { id: string; platform: string; published_at: Date };
type Answered = { reading: PostReading; numbers: Fields };

export const postMetricsStream = ayrshareStream({
  name: 'post_metrics',
  tables: [postReadings],
  feeds: ['social'],
  async *fetch(run, ayrshare, ids) {
    const columns = ['id', 'platform', 'published_at'];
    yield* readPosts(run, ayrshare, (await storedRows(run.context, posts.name, ids, columns)) as Post[]);
  },
  async *read(run, ayrshare) {
    const { context } = run;
    if (!isDayDue(run)) return yield saved(run, {});
    const now = context.now();
    const since = context.window?.since ?? daysBefore(now, YOUNG_DAYS);
    const wanted = { by: 'published_at', from: since, to: now, where: { lacks_metrics: true } };
    const columns = { columns: ['id', 'platform', 'published_at'], max: LOOKED_AT_MAX };
    const lacking = (await rowsBetween(context, posts.name, wanted, columns)) as Post[];
    const young = lacking.slice(-POSTS_MAX).reverse(); // the newest, and these first
    yield* readPosts(run, ayrshare, young);
    yield* rested(run, young);
    yield saved(run, { day: today(context), changesTo: now.toISOString() });
  },
});

/** A network that refuses is not asked for its other posts. */
async function* readPosts(run: Run, ayrshare: Ayrshare, young: readonly Post[]): AsyncGenerator<Page> {
  const left = new Set(young.map(({ platform }) => platform));
  let doubted = 0;
  for (let from = 0; from < young.length; from += CHUNK) {
    const read: Answered[] = [];
    const rejected: Rejection[] = [];
    for (const post of young.slice(from, from + CHUNK).filter(({ platform }) => left.has(platform))) {
      const got = await askPost(ayrshare, post);
      if ('rejection' in got) rejected.push(got.rejection);
      else if ('answered' in got) read.push(...got.answered);
      else if (got.refused.kind === 'missing') doubted++;
      else if (got.refused.kind !== 'empty') {
        left.delete(post.platform);
        yield refusal(run, post.platform, got.refused);
      }
    }
    yield { ...emptyPage(run), rejected };
    yield* pagesOf(run, read);
  }
  if (doubted >= DOUBTED_MIN && doubted === young.length) await getUser(ayrshare);
  const isWell = { isFailing: undefined, limitedTimes: undefined };
  const state = [...left].reduce((all, name) => withNetwork(all, name, isWell), run.position);
  yield { ...saved(run, state), checks: [...left].map(passed) };
}

/** Ends the checks of networks that have no post to ask for any more. */
function* rested(run: Run, young: readonly Post[]): Generator<Page> {
  const failing = Object.entries(run.position.networks).flatMap(([name, { isFailing }]) =>
    isFailing && !young.some(({ platform }) => platform === name) ? name : [],
  );
  if (failing.length > 0) yield { ...emptyPage(run), checks: failing.map(passed) };
}

type Asked = { answered: Answered[] } | { refused: Refused } | { rejection: Rejection };

async function askPost(ayrshare: Ayrshare, post: Post): Promise<Asked> {
  const { id, platform, published_at: publishedAt } = post;
  const native = id.slice(platform.length + 1);
  const body = { id: native, platforms: [platform], searchPlatformId: true };
  const got = await orRefused(() => ayrshare.post('/analytics/post', body));
  if (got instanceof Refused) return { refused: got };
  const found = networksOf(got.body, [platform]).get(platform) ?? [];
  if (found instanceof Refused) return { refused: found };
  // A thread of X is one list; the numbers of the post that was asked for are its own.
  const own = found.find((one) => one.id === native) ?? found[0] ?? {};
  const numbers = own.analytics as Fields;
  try {
    const metrics = readMetrics(postMetrics, platform, numbers);
    const reading = { id, readAt: readAt(own, got.sentAt), metrics, platform, publishedAt };
    return { answered: [{ reading, numbers }] };
  } catch (error) {
    if (!isUnfit(error)) throw error;
    return { rejection: rejectionOf({ ...numbers, id }, error) };
  }
}

function* pagesOf(run: Run, read: readonly Answered[]): Generator<Page> {
  const { timeZone } = run.context.connection;
  const accounts = [...new Set(read.map(({ reading }) => reading.platform))].flatMap((platform) => {
    const own = read.flatMap(({ reading }) => (reading.platform === platform ? reading : []));
    const at = new Date(Math.max(...own.map(({ readAt: time }) => time.getTime())));
    const told = new Set(own.flatMap(({ metrics }) => metrics.map(({ metric }) => metric)));
    return readMarks(platform, { readAt: at, readOn: dayOf(at, timeZone) }, told);
  });
  yield* numberPages(emptyPage(run), {
    posts: read.flatMap(({ reading }) => postReadingItems(reading)),
    accounts,
    snapshots: read.map(({ reading, numbers }) =>
      snapshotItem(reading.id, 'analytics', reading.readAt, numbers),
    ),
  });
}

function refusal(run: Run, platform: string, error: Refused): Page {
  const { network, checks, incomplete } = refused(run, platform, error, run.context.now());
  const page = { ...saved(run, withNetwork(run.position, platform, network)), checks };
  return incomplete === undefined ? page : { ...page, incomplete };
}
