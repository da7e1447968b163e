/**
 * The ECB's feeds over HTTP: no key, one file a request, and asked with what it said last time, so
 * that it need not send what we have.
 */
import { AnswerTooLarge, ProviderUnavailable, RedirectRefused } from '../errors.ts';
import { type HttpStream, makeHttp } from '../http.ts';
import { Again, type Meters, persist } from '../retry.ts';
import { FeedNotServed } from './errors.ts';
import type { Published } from './published.ts';
import { BYTES_MAX, readRates } from './read_rates.ts';

const PROVIDER = 'The ECB';
/** However slowly it comes, a file takes no longer than this. */
const READ_MS_MAX = 5 * 60_000;

export const feeds = {
  history: 'eurofxref-hist.zip',
  recent: 'eurofxref-hist-90d.xml',
  latest: 'eurofxref-daily.xml',
} as const;
export type Feed = keyof typeof feeds;

/** What an answer is known by, for the next time. */
export type Validators = { etag: string | null; lastModified: string | null };

export type FeedRequest = {
  /** The directory in which the feeds lie. */
  baseUrl: string;
  today: string;
  known: Validators | undefined;
  signal: AbortSignal;
  meters: Meters;
};

export type FeedAnswer = { published: Published; validators: Validators };

export function feedUrl(baseUrl: string, feed: Feed): string {
  return `${baseUrl.replace(/\/+$/, '')}/${feeds[feed]}`;
}

/** Nothing if the feed is what we know. */
export async function readFeed(feed: Feed, request: FeedRequest): Promise<FeedAnswer | undefined> {
  const { baseUrl, known, signal, meters, today } = request;
  const url = feedUrl(baseUrl, feed);
  const http = makeHttp({ provider: PROVIDER, account: feeds[feed], signal, meters });
  const headers = {
    ...(known?.etag && { 'if-none-match': known.etag }),
    ...(known?.lastModified && { 'if-modified-since': known.lastModified }),
  };
  const answer = await persist(
    async () => {
      const stream = await http.open({ method: 'GET', url, headers });
      return { ...stream, bytes: await wholeOf(stream, url) };
    },
    { signal, meters },
  ).catch((error: unknown) => {
    if (error instanceof RedirectRefused) throw new FeedNotServed(url, error.message, error);
    throw error;
  });
  if (answer.status === 304 && known) return undefined;
  if (answer.status !== 200) throw new FeedNotServed(url, `status ${answer.status}`);
  const published = await readRates(answer.bytes, { source: url, today });
  const { etag = null, 'last-modified': lastModified = null } = answer.headers;
  return { published, validators: { etag: oneOf(etag), lastModified } };
}

async function wholeOf({ body }: HttpStream, url: string): Promise<Buffer> {
  const endsAt = performance.now() + READ_MS_MAX;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > BYTES_MAX) throw new AnswerTooLarge(PROVIDER, url, BYTES_MAX);
    if (performance.now() > endsAt)
      throw new Again(new ProviderUnavailable(PROVIDER, `${url} takes longer than ${READ_MS_MAX / 1000} s`));
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const oneOf = (value: string | string[] | null) => (Array.isArray(value) ? (value[0] ?? null) : value);
