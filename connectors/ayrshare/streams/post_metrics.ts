/**
 * Numbers that the lists of posts leave out, asked for post by post: once a day, of posts that are young.
 * https://www.ayrshare.com/docs/apis/analytics/post
 */
import { type Fields, isUnfit } from '../../kit/fields.ts';
import { rejectionOf } from '../../kit/records.ts';
import { rowsBetween, storedColumn, storedRows } from '../../kit/stored/stored.ts';
import type { Page, Rejection } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { networksOf, Refused } from '../api/answers.ts';
import { getUser } from '../api/check.ts';
import type { Ayrshare } from '../api/client.ts';
import { numberOf, postMetrics, readMetrics } from '../metrics.ts';
import { ayrshareStream, saved } from '../stream.ts';
import { orRefused, passed, readAt, refused } from '../sync/networks.ts';
import { dayOf, daysBefore, isDayDue, type Run, type State, today, withNetwork } from '../sync/sync_state.ts';
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
/** Of a network of which so many posts of a night gave no number, as few are tried in the next ones. */
const MUTE_POSTS = 5;
/** After so many posts of a night that cannot be read, a network is not asked for its others. */
const FAILED_MAX = 3;
/** If all of so many posts are unknown, the profile may be another one. */
const DOUBTED_MIN = 3;

type Post = { id: string; platform: string; published_at: Date };
type Answered = { reading: PostReading; numbers: Fields };

export const postMetricsStream = ayrshareStream({
  name: 'post_metrics',
  tables: [postReadings],
  feeds: ['social', 'rankings'],
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
    const { asked: young, left } = nextOf(run.position, lacking);
    yield* readPosts(run, ayrshare, young);
    yield* rested(run, young);
    const lastAsked = left > 0 ? young.at(-1)?.id : undefined;
    const page = saved(run, { day: today(context), changesTo: now.toISOString(), lastAsked });
    const incomplete = `${left} posts of the last ${YOUNG_DAYS} days lack numbers and were not asked for: ${POSTS_MAX} are in a night, in turn`;
    yield left > 0 ? { ...page, incomplete } : page;
  },
});

/** The newest first, behind the last one that the night before came to: so each is asked for in its turn. */
export function nextOf(
  position: Pick<State, 'networks' | 'lastAsked'>,
  lacking: readonly Post[],
): { asked: Post[]; left: number } {
  const tried = new Map<string, number>();
  const wanted = lacking.toReversed().filter(({ platform }) => {
    const count = (tried.get(platform) ?? 0) + 1;
    tried.set(platform, count);
    return !position.networks[platform]?.isMute || count <= MUTE_POSTS;
  });
  const behind = wanted.findIndex(({ id }) => id === position.lastAsked) + 1;
  const inTurn = [...wanted.slice(behind), ...wanted.slice(0, behind)];
  return { asked: inTurn.slice(0, POSTS_MAX), left: Math.max(0, wanted.length - POSTS_MAX) };
}

/** A network that refuses is not asked for its other posts. */
async function* readPosts(run: Run, ayrshare: Ayrshare, young: readonly Post[]): AsyncGenerator<Page> {
  const left = new Set(young.map(({ platform }) => platform));
  const failed = new Map<string, number>();
  const gave = new Map<string, boolean[]>();
  let doubted = 0;
  for (let from = 0; from < young.length; from += CHUNK) {
    const read: Answered[] = [];
    const rejected: Rejection[] = [];
    for (const post of young.slice(from, from + CHUNK).filter(({ platform }) => left.has(platform))) {
      const { platform } = post;
      const got = await askPost(ayrshare, post);
      const hasNumbers = 'answered' in got && got.answered.some(({ reading }) => reading.metrics.length > 0);
      gave.set(platform, [...(gave.get(platform) ?? []), hasNumbers || 'rejection' in got]);
      if ('rejection' in got) rejected.push(got.rejection);
      else if ('answered' in got) read.push(...got.answered);
      else if (got.refused.kind === 'missing') doubted++;
      else if (got.refused.kind !== 'empty') {
        const times = (failed.get(platform) ?? 0) + 1;
        failed.set(platform, times);
        if (got.refused.kind === 'failed' && times < FAILED_MAX) {
          // It may be a fault of the post.
          yield { ...emptyPage(run), incomplete: `${post.id} cannot be read: ${got.refused.message}` };
          continue;
        }
        left.delete(platform);
        yield refusal(run, platform, got.refused);
      }
    }
    yield { ...emptyPage(run), rejected };
    yield* pagesOf(run, await asListed(run, read));
  }
  if (doubted >= DOUBTED_MIN && doubted === young.length) await getUser(ayrshare);
  const isWell = { isFailing: undefined, limitedTimes: undefined };
  const state = [...left].reduce((all, name) => {
    const told = gave.get(name) ?? [];
    const isMute = told.includes(true) ? undefined : told.length >= MUTE_POSTS || all.networks[name]?.isMute;
    return withNetwork(all, name, { ...isWell, isMute });
  }, run.position);
  yield { ...saved(run, state), checks: [...left].map(passed) };
}

/**
 * A number that the list gave by one field is read from that one here too, or left to the list: two fields in turn would
 * pass for activity.
 */
async function asListed({ context }: Run, read: readonly Answered[]): Promise<Answered[]> {
  const among = read.map(({ reading }) => reading.id);
  const columns = ['id', 'metric', 'field', 'read_at'];
  const stored = await storedColumn(context, postReadings.name, { by: 'id', among }, columns);
  const newestLast = stored.toSorted((one, other) => Number(one.read_at) - Number(other.read_at));
  const fields = new Map(newestLast.map(({ id, metric, field }) => [`${id} ${metric}`, String(field)]));
  return read.map(({ reading, numbers }) => {
    const metrics = reading.metrics.flatMap((found) => {
      const field = fields.get(`${reading.id} ${found.metric}`) ?? found.field;
      const value = field === found.field ? found.value : numberOf(numbers, field);
      return value === undefined ? [] : { ...found, field, value };
    });
    return { reading: { ...reading, metrics }, numbers };
  });
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
  const got = await orRefused([platform], () => ayrshare.post('/analytics/post', body));
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
  yield* numberPages(run, 'ayrshare.post_metrics', {
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
