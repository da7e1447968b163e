import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Faults, Target } from '../faults.ts';
import { hangUp, sleep } from '../http.ts';
import type { Entry, RequestLog } from '../request_log.ts';
import { FEEDS } from './feeds.ts';
import { asOf, type Rates } from './rates.ts';

export type EcbSettings = {
  faults: Faults;
  requests: RequestLog;
  rates: () => Promise<Rates>;
  now: () => number;
};

type Answer = { status: number; headers: Record<string, string>; body: Buffer };

/** The ECB's side of the sandbox: files below `/stats/eurofxref/`, without a key. */
export class Ecb {
  readonly #settings: EcbSettings;

  constructor(settings: EcbSettings) {
    this.#settings = settings;
  }

  async handle(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { faults, requests } = this.#settings;
    const started = performance.now();
    const entry: Entry = {
      ...{ provider: 'ecb', shop: '', method: request.method ?? '', path, status: 0, ms: 0 },
      faults: [],
    };
    const target: Target = { shop: '', text: path, on: 'ecb' };
    try {
      const slow = faults.take('slow', target);
      if (slow) await sleep(slow.ms);
      if (faults.take('reset', target)) return hangUp(response);
      const { status, headers, body } = await this.#answer(request, path, target);
      const cut = (status === 200 ? faults.take('cut', target)?.bytes : undefined) ?? body.length;
      Object.assign(entry, { status, bytes: Math.min(cut, body.length) });
      response.writeHead(status, { 'content-length': body.length, ...headers });
      if (cut >= body.length) response.end(body);
      else response.write(body.subarray(0, cut), () => hangUp(response));
    } finally {
      entry.ms = Math.round(performance.now() - started);
      requests.add(entry);
    }
  }

  async #answer(request: IncomingMessage, path: string, target: Target): Promise<Answer> {
    const failed = this.#settings.faults.take('status', target);
    if (failed) return plain(failed.status, 'A fault of the sandbox refuses this request.');
    const name = /^\/stats\/eurofxref\/([^/?]+)/.exec(path)?.[1] ?? '';
    const feed = Object.hasOwn(FEEDS, name) ? FEEDS[name] : undefined;
    if (!feed || request.method !== 'GET') return plain(404, 'Not Found');
    const now = this.#settings.now();
    const rates = asOf(await this.#settings.rates(), now);
    const { type, body } = feed(rates, now);
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
    const changed = new Date(rates.days[0]?.publishedAt ?? 0).toUTCString();
    const headers = { etag, 'last-modified': changed };
    if (isKnown(request, etag, changed)) return { status: 304, headers, body: Buffer.alloc(0) };
    return { status: 200, headers: { 'content-type': type, ...headers }, body };
  }
}

/** Whether the asker has this state already; an ETag counts before a time (RFC 9110, 13.1.3). */
function isKnown({ headers }: IncomingMessage, etag: string, changed: string): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) return tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
  const since = headers['if-modified-since'];
  return since !== undefined && Date.parse(since) >= Date.parse(changed);
}

function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: Buffer.from(text) };
}
