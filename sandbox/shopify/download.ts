import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { hangUp, send } from '../http.ts';

const PIECE_BYTES = 1 << 18;

type Result = { file: FileHandle; bytes: number };
export type Sent = { status: number; bytes: number };

/** Streams a bulk result, whole or from where a `Range` asks, as cloud storage does. */
export async function sendResult(
  response: ServerResponse,
  result: Result | undefined,
  range: string | undefined,
  cutAt: number | undefined,
): Promise<Sent> {
  if (!result) {
    const body = {
      error: { code: 'ExpiredToken', message: 'Invalid argument. The signed address is wrong or over.' },
    };
    return { status: 403, bytes: send(response, { status: 403, body }) };
  }
  const start = startOf(range);
  if (start !== undefined && start.from >= result.bytes) {
    const headers = { 'content-range': `bytes */${result.bytes}` };
    const body = { error: { code: 'InvalidRange', message: 'The requested range cannot be satisfied.' } };
    return { status: 416, bytes: send(response, { status: 416, body, headers }) };
  }
  const from = start?.from ?? 0;
  const to = Math.min(start?.to ?? result.bytes - 1, result.bytes - 1);
  const status = start ? 206 : 200;
  response.writeHead(status, {
    'content-type': 'application/jsonl; charset=utf-8',
    'content-length': Math.max(0, to - from + 1),
    'accept-ranges': 'bytes',
    ...(start ? { 'content-range': `bytes ${from}-${to}/${result.bytes}` } : {}),
  });
  if (cutAt !== undefined && from + cutAt <= to) return cutOff(response, result, from, cutAt, status);
  await stream(response, result, from, to);
  return { status, bytes: to - from + 1 };
}

async function stream(
  response: ServerResponse,
  { file, bytes }: Result,
  from: number,
  to: number,
): Promise<void> {
  if (bytes === 0) {
    response.end();
    return;
  }
  try {
    await pipeline(pieces(file, from, to), response);
  } catch {
    // The reader went away; it comes back with a Range.
  }
}

/** Read by hand: a stream over the handle would close it for all later readers when this one goes away. */
async function* pieces(file: FileHandle, from: number, to: number): AsyncGenerator<Buffer> {
  for (let at = from; at <= to; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(PIECE_BYTES, to + 1 - at)), {
      position: at,
    });
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function cutOff(
  response: ServerResponse,
  result: Result,
  from: number,
  cutAt: number,
  status: number,
): Promise<Sent> {
  if (cutAt > 0) {
    for await (const chunk of pieces(result.file, from, from + cutAt - 1))
      await new Promise<void>((done) => response.write(chunk, () => done()));
  }
  hangUp(response);
  return { status, bytes: cutAt };
}

function startOf(range: string | undefined): { from: number; to: number | undefined } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!match?.[1]) return undefined;
  return { from: Number(match[1]), to: match[2] ? Number(match[2]) : undefined };
}
