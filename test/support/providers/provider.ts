/** A small real HTTP server that answers as a test tells it, request by request. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type Asked = { method: string; path: string; headers: IncomingMessage['headers']; body: string };
export type Answer = (response: ServerResponse, asked: Asked) => void;

export type FakeProvider = AsyncDisposable & {
  url: string;
  /** Every request so far, in order. */
  asked: Asked[];
  /** Adds to the answers that wait. */
  will(...answers: Answer[]): void;
};

/** Gives its answers one after the other; the last one again and again. */
export async function fakeProvider(...answers: Answer[]): Promise<FakeProvider> {
  const asked: Asked[] = [];
  const waiting = [...answers];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    asked.push(one);
    const answer = waiting.length > 1 ? waiting.shift() : waiting[0];
    if (answer) answer(response, one);
    else status(500)(response, one);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    will: (...more) => void waiting.push(...more),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Head = { status?: number; headers?: Record<string, string> };

export const json =
  (body: unknown, { status = 200, headers = {} }: Head = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

export const status = (code: number, headers: Record<string, string> = {}): Answer =>
  json({ errors: `status ${code}` }, { status: code, headers });

/** Resets the connection before any answer. */
export const hangUp: Answer = (response) => void response.socket?.resetAndDestroy();

/** Never answers. */
export const silence: Answer = () => {};

/** Answers by what was asked. */
export const by =
  (choose: (asked: Asked) => Answer): Answer =>
  (response, asked) =>
    choose(asked)(response, asked);

export type FileOptions = {
  /** Understands `Range`. */
  ranges?: boolean;
  /** Breaks the connection off behind so many bytes of an answer. */
  cutAt?: number;
  headers?: Record<string, string>;
};

/** A file as cloud storage serves it. */
export const file =
  (content: Buffer | string, { ranges = true, cutAt, headers = {} }: FileOptions = {}): Answer =>
  (response, { headers: { range } }) => {
    const bytes = Buffer.from(content);
    const from = ranges && range ? Number(/^bytes=(\d+)-$/.exec(range)?.[1]) : 0;
    const part = bytes.subarray(from);
    const isPart = ranges && range !== undefined;
    const partly = isPart ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(isPart ? 206 : 200, { 'content-length': part.length, ...partly, ...headers });
    if (cutAt === undefined || cutAt >= part.length) response.end(part);
    else response.write(part.subarray(0, cutAt), () => response.socket?.destroy());
  };
