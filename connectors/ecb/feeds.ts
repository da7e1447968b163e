/**
 * The ECB's feeds over HTTP: no key, one file per request, and conditional requests, so that it need not send what we
 * have.
 */
import { RedirectRefused } from '../kit/errors.ts';
import { makeHttp } from '../kit/http/http.ts';
import { type RequestStats, withRetry } from '../kit/http/retry.ts';
import { FeedNotServed } from './errors.ts';
import type { Published } from './published.ts';
import { BYTES_MAX, readRates } from './read_rates.ts';

const PROVIDER = 'The ECB';

export const feeds = {
  history: 'eurofxref-hist.zip',
  recent: 'eurofxref-hist-90d.xml',
  latest: 'eurofxref-daily.xml',
} as const;
export type Feed = keyof typeof feeds;

/** The validators of the answer, for the next request. */
export type Validators = { etag: string | null; lastModified: string | null };

export type FeedRequest = {
  /** The directory of the feeds. */
  baseUrl: string;
  today: string;
  known: Validators | undefined;
  signal: AbortSignal;
  stats: RequestStats;
};

export type FeedAnswer = { published: Published; validators: Validators };

export function feedUrl(baseUrl: string, feed: Feed): string {
  return `${baseUrl.replace(/(?<!\/)\/+$/, '')}/${feeds[feed]}`;
}

/** Undefined if the feed has not changed. */
export async function readFeed(feed: Feed, request: FeedRequest): Promise<FeedAnswer | undefined> {
  const { baseUrl, known, signal, stats, today } = request;
  const url = feedUrl(baseUrl, feed);
  const http = makeHttp({ provider: PROVIDER, account: feeds[feed], signal, stats });
  const headers = {
    ...(known?.etag && { 'if-none-match': known.etag }),
    ...(known?.lastModified && { 'if-modified-since': known.lastModified }),
  };
  const answer = await withRetry(() => http.whole({ method: 'GET', url, headers }, BYTES_MAX), {
    signal,
    stats,
  }).catch((error: unknown) => {
    if (error instanceof RedirectRefused) throw new FeedNotServed(url, error.message, error);
    throw error;
  });
  if (answer.status === 304 && known) return undefined;
  if (answer.status !== 200) throw new FeedNotServed(url, `status ${answer.status}`);
  const published = await readRates(answer.bytes, { source: url, today });
  const { etag = null, 'last-modified': lastModified = null } = answer.headers;
  return { published, validators: { etag: oneOf(etag), lastModified } };
}

const oneOf = (value: string | string[] | null) => (Array.isArray(value) ? (value[0] ?? null) : value);
