/** Posts: what they say is a row, and what they count are readings. */

import { indexable } from '#sql/db/copy.ts';
import type { Item } from '#sql/load/table.ts';
import { column, columnsOf, recordTable } from '../../kit/columns.ts';
import { type Fields, instant, payloadOf, text } from '../../kit/fields.ts';
import { type Result, rejectionOf } from '../../kit/records.ts';
import type { Rejection } from '../../kit/stream.ts';
import { type Metric, postMetrics, readMetrics } from '../metrics.ts';
import { type PostReading, splitNumbers } from './readings.ts';

type Of = { platform: string; lacks: boolean };

/** These are in few lists, and a network that leaves out nothing else is not asked post by post for them. */
const RARE = new Set(['video_views', 'profile_visits', 'clicks']);
const TEXT_CHARS_MAX = 10_000;

export function postId(platform: string, id: string): string {
  return `${platform}/${id}`;
}

const firstText = (...keys: readonly string[]) =>
  column<Of>('text', (record) => {
    const found = keys.map((key) => record[key]).find((value) => typeof value === 'string' && value !== '');
    return typeof found === 'string' ? found.slice(0, TEXT_CHARS_MAX).toWellFormed() : null;
  });

/** A post that is listed twice with two instants keeps the first one. */
export const posts = recordTable<Of>({
  name: 'raw.ayrshare_posts',
  key: ['id'],
  observed: true,
  uncompared: ['published_at', 'lacks_metrics'],
  personal: null,
  columns: {
    id: column('text', (record, { platform }) => postId(platform, text(record, 'id')), {
      marks: 'social_posts',
    }),
    platform: column('text', (_, { platform }) => platform),
    published_at: columnsOf<Of>('timestamptz', publishedAt)('created', { marks: 'social' }),
    kind: firstText('mediaProductType', 'mediaType', 'statusType', 'type'),
    url: firstText('postUrl', 'url'),
    text: firstText('post', 'caption', 'title'),
    campaign: column('text', (record) => campaignIn(record), { marks: 'post_campaigns' }),
    lacks_metrics: column('boolean', (_, { lacks }) => lacks),
    payload: column('jsonb', (record) => payloadOf(withoutAddresses(splitNumbers(record).words), LEFT_OUT)),
  },
});

const LEFT_OUT: ReadonlySet<string> = new Set([...['id', 'post', 'created', 'engagement', 'lastModified']]);

/** Addresses of media are signed anew each time. */
function withoutAddresses(words: Fields): Fields {
  const isAddress = (value: unknown) => typeof value === 'string' && /^https?:/.test(value);
  return Object.fromEntries(Object.entries(words).filter(([, value]) => ![value].flat().some(isAddress)));
}

export function publishedAt(record: Fields): Date {
  return instant(record, typeof record.created === 'string' ? 'created' : 'publishedAt');
}

/** Of the first link that names one, cut like that of an order (`indexed`): an order is found by it. */
function campaignIn({ post }: Fields): string | null {
  const [, found = ''] = /[?&]utm_campaign=([^&\s#]+)/.exec(typeof post === 'string' ? post : '') ?? [];
  return indexable(decoded(found).trim()) || null;
}

function decoded(parameter: string): string {
  try {
    return decodeURIComponent(parameter.replaceAll('+', ' '));
  } catch {
    return parameter;
  }
}

export type ReadPost = { item: Item; reading: PostReading; numbers: Fields };

/** A post of a list, and its numbers as of `readAt`. */
export function readPost(
  platform: string,
  record: Fields,
  { sentAt, readAt }: { sentAt: Date; readAt: Date },
): ReadPost | { rejection: Rejection } {
  try {
    const metrics = readMetrics(postMetrics, platform, record);
    const row = posts.rowOf(record, { platform, lacks: lacksMetrics(platform, metrics) });
    const id = String(row.id);
    return {
      item: { id, changedAt: sentAt, rows: { [posts.name]: [row] } },
      reading: { id, readAt, metrics, platform, publishedAt: publishedAt(record) },
      numbers: splitNumbers(record).numbers,
    };
  } catch (error) {
    return { rejection: rejectionOf(record, error, { idOf: (id) => postId(platform, id) }) };
  }
}

function lacksMetrics(platform: string, metrics: readonly Metric[]): boolean {
  const has = new Set(metrics.map(({ metric }) => metric));
  return Object.keys(postMetrics[platform] ?? {}).some((metric) => !has.has(metric) && !RARE.has(metric));
}

/** A post of a network that gives no list, from what was sent there: it has no numbers. */
export function sentPost(platform: string, record: Fields, sentAt: Date): Result<Item> {
  try {
    const row = posts.rowOf(record, { platform, lacks: false });
    return { item: { id: String(row.id), changedAt: sentAt, rows: { [posts.name]: [row] } } };
  } catch (error) {
    return { rejection: rejectionOf(record, error, { idOf: (id) => postId(platform, id) }) };
  }
}
