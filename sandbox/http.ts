import type { IncomingMessage, ServerResponse } from 'node:http';

const BODY_BYTES_MAX = 10 * 1024 * 1024;

export type Reply = { status: number; body: unknown; headers?: Record<string, string> };

export class BadRequest extends Error {}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new BadRequest('The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRequest('The body is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequest('The body is not a JSON object.');
  }
  return value as Record<string, unknown>;
}

/** Sends a reply as JSON, or empty if it has no body; with `cutAt` only so many bytes of it, after which the connection breaks. */
export function send(
  response: ServerResponse,
  { status, body, headers = {} }: Reply,
  cutAt?: number,
): number {
  const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    ...headers,
  });
  if (cutAt === undefined || cutAt >= bytes.length) {
    response.end(bytes);
    return bytes.length;
  }
  response.write(bytes.subarray(0, cutAt), () => hangUp(response));
  return cutAt;
}

/** Breaks the connection as a network does: with a reset, not with a proper end. */
export function hangUp(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
