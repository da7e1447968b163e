/** Downloads the result file of a bulk operation from any offset. */
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '#runtime/errors.ts';
import { AnswerNotUnderstood } from '../../kit/errors.ts';
import type { Http, HttpStream } from '../../kit/http/http.ts';
import { RetryableError, withRetry } from '../../kit/http/retry.ts';
import { PROVIDER } from '../api/answers.ts';
import { LineDamaged } from './lines.ts';

const GONE = new Set([400, 403, 404, 410, 416]);

/** The address of the file has expired, as it does after a week. */
export class ResultGone extends Error {}

/** The file from `offset` on, even if the server does not support ranges. The token of the shop is not sent. */
export async function openAt(http: Http, url: string, offset: number): Promise<AsyncIterable<Buffer>> {
  let answer = await request(http, url, offset);
  if (answer.status === 206) {
    const { headers, body } = answer;
    if (startOf(headers['content-range']) === offset && !headers['content-encoding']) return body;
    // A part of the compressed file is useless, because our offset counts plain bytes: the complete file is needed.
    await leave(body);
    answer = await request(http, url, 0);
  }
  const { status, headers, body } = answer;
  if (GONE.has(status)) throw new ResultGone(`its file is gone (${status})`);
  if (status !== 200) {
    throw new AnswerNotUnderstood(PROVIDER, 'the download of a bulk result', `status ${status}`, 'retry');
  }
  const plain = headers['content-encoding'] === 'gzip' ? gunzip(body) : body;
  return offset > 0 ? behind(plain, offset) : plain;
}

function request(http: Http, url: string, offset: number): Promise<HttpStream> {
  const headers = { 'accept-encoding': 'identity', ...(offset > 0 && { range: `bytes=${offset}-` }) };
  return withRetry(() => http.open({ method: 'GET', url, headers }), http);
}

/** Stops reading, which ends the request. */
async function leave(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body) break;
}

async function* gunzip(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const unzip = createGunzip();
  const feeding = pipeline(body, unzip).then(
    () => undefined,
    (error: Error) => error,
  );
  try {
    yield* unzip as AsyncIterable<Buffer>;
  } catch {
    const error = await feeding;
    throw error instanceof RetryableError ? error : new LineDamaged(messageOf(error));
  }
}

async function* behind(body: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer> {
  let skipped = 0;
  for await (const piece of body) {
    if (skipped + piece.length <= offset) {
      skipped += piece.length;
      continue;
    }
    yield skipped < offset ? piece.subarray(offset - skipped) : piece;
    skipped = Math.max(offset, skipped);
  }
}

function startOf(contentRange: unknown): number | undefined {
  const match = typeof contentRange === 'string' ? /^bytes (\d+)-/.exec(contentRange) : null;
  return match ? Number(match[1]) : undefined;
}

/** A result is on another host than the shop, but never unencrypted, unless the shop is (on this machine). */
export function assertResultAddress(url: string, baseUrl: string): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || hostname === new URL(baseUrl).hostname) return;
  throw new AnswerNotUnderstood(PROVIDER, 'a bulk operation', 'the address of its result is not encrypted');
}
