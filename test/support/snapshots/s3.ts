/**
 * A bucket of an S3 server, behind a gate that does what that server leaves out: it refuses signatures, hashes and requests
 * that are not right. It also hears all requests, and breaks what a test wants.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { buildApp } from 'fauxqs';
import { limits, type S3Limits, type S3Place } from '#tasks/snapshots/s3/place.ts';
import { s3Store } from '#tasks/snapshots/s3/s3_store.ts';
import type { Store } from '#tasks/snapshots/store.ts';

export type Key = { id: string; secret: string };

export const FULL_KEY: Key = { id: 'NIGHTSHIFTFULL', secret: 'full-secret-key-0123456789' };
/** May put objects and no more. */
export const PUT_KEY: Key = { id: 'NIGHTSHIFTPUT', secret: 'put-only-secret-key-0123456789' };

export type Asked = { method: string; path: string; headers: IncomingMessage['headers']; body: Buffer };
/** `cutAt`, `stallAt`: the answer breaks off, or no more of it comes, behind so many bytes. */
export type Fault =
  | 'slow down'
  | 'hang up'
  | 'silence'
  | 'refuse'
  | 'no range'
  | { cutAt: number }
  | { stallAt: number };

export type Bucket = AsyncDisposable & {
  place: S3Place;
  /** Of commands; the SDK finds the key in the environment of the process. */
  env: Record<string, string>;
  asked: Asked[];
  store(given?: Partial<S3Place>, own?: Partial<S3Limits>): Store;
  /** What becomes of the requests from now on; undefined lets one pass. */
  gate(rule: (asked: Asked) => Fault | undefined): void;
};

/** The smallest parts that S3 takes. */
export const PART_BYTES = 5 * 1024 * 1024;

/** What fails is given up soon; of what hangs, a test says how soon. */
const QUICK: S3Limits = {
  ...{ ...limits, partBytes: PART_BYTES, attempts: 2, resumes: 2 },
};

const NAME = 'backups';

export async function aBucket(): Promise<Bucket> {
  const home = await mkdtemp(join(tmpdir(), 'nightshift-s3-'));
  const server = buildApp({ logger: false });
  const address = await server.listen({ port: 0, host: '127.0.0.1' });
  await fetch(`${address}/${NAME}`, { method: 'PUT' });
  const port = Number(new URL(address).port);
  const asked: Asked[] = [];
  let rule: (asked: Asked) => Fault | undefined = () => undefined;
  const gate = createServer((from, to) => {
    pass(from, to, { port, asked, rule: (one) => rule(one) }).catch(() => to.destroy());
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  const endpoint = `http://127.0.0.1:${(gate.address() as AddressInfo).port}`;
  const place = { bucket: NAME, prefix: 'night', endpoint, pathStyle: true, draftsDir: join(home, 'drafts') };
  return {
    ...{ place, asked },
    env: {
      ...{ NIGHTSHIFT_SNAPSHOT_STORE: `s3://${NAME}/night`, NIGHTSHIFT_SNAPSHOT_ENDPOINT: endpoint },
      NIGHTSHIFT_SNAPSHOT_DIR: join(home, 'drafts'),
    },
    store: (given = {}, own = {}) => s3Store({ ...place, ...given }, { ...QUICK, ...own }),
    gate(next) {
      rule = next;
    },
    async [Symbol.asyncDispose]() {
      gate.closeAllConnections();
      gate.close();
      server.server.closeAllConnections();
      await server.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function envOf({ id, secret }: Key) {
  return { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret };
}

/** The SDK finds this key in the environment, or none at all. */
export async function withKey<T>(key: Key | undefined, work: () => Promise<T>): Promise<T> {
  const none = { AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' };
  const wanted: Record<string, string> = { ...none, AWS_CONFIG_FILE: '/nowhere', ...(key && envOf(key)) };
  const before = Object.keys({ ...wanted, ...envOf(FULL_KEY) }).map(
    (name) => [name, process.env[name]] as const,
  );
  for (const [name] of before) delete process.env[name];
  Object.assign(process.env, wanted);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

type Passing = { port: number; asked: Asked[]; rule(asked: Asked): Fault | undefined };

async function pass(
  from: IncomingMessage,
  to: ServerResponse,
  { port, asked, rule }: Passing,
): Promise<void> {
  const body = await buffer(from);
  const one = { method: from.method ?? '', path: from.url ?? '', headers: from.headers, body };
  asked.push(one);
  const fault = rule(one);
  if (fault === 'silence') return;
  if (fault === 'hang up') return void to.socket?.resetAndDestroy();
  if (fault === 'slow down') return refuse(to, 503, 'SlowDown', 'Please reduce your request rate.');
  if (fault === 'refuse') return refuse(to, 403, 'AccessDenied', 'Access Denied');
  const key = [FULL_KEY, PUT_KEY].find(({ id }) => one.headers.authorization?.includes(`Credential=${id}/`));
  if (key === undefined)
    return refuse(to, 403, 'InvalidAccessKeyId', 'The key does not exist in our records.');
  if (!isSigned(one, key)) return refuse(to, 403, 'SignatureDoesNotMatch', 'The signature does not match.');
  if (key === PUT_KEY && !isPut(one)) return refuse(to, 403, 'AccessDenied', 'Access Denied');
  if (!isHashed(one)) return refuse(to, 400, 'BadDigest', 'The hash of the body is missing, or another one.');
  const { method, path } = one;
  const { range, ...others } = one.headers;
  const headers = fault === 'no range' ? others : one.headers;
  const on = request({ port, host: '127.0.0.1', method, path, headers }, (answer) => {
    to.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fault === undefined || fault === 'no range') return void answer.pipe(to);
    const [at, then] = 'cutAt' in fault ? [fault.cutAt, () => to.destroy()] : [fault.stallAt, () => {}];
    buffer(answer).then((all) => to.write(all.subarray(0, at), then));
  });
  on.end(body);
  await once(on, 'response');
}

function refuse(to: ServerResponse, status: number, code: string, said: string): void {
  to.writeHead(status, { 'content-type': 'application/xml' });
  to.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${said}</Message></Error>`,
  );
}

/** As a policy would that allows s3:PutObject and s3:AbortMultipartUpload. */
function isPut({ method, path }: Asked): boolean {
  return ['PUT', 'POST'].includes(method) || (method === 'DELETE' && path.includes('uploadId='));
}

/** Signature version 4, of a request whose body is signed too. */
function isSigned({ method, path, headers, body }: Asked, { secret }: Key): boolean {
  const [, scope = '', names = '', signature] =
    /Credential=[^/]+\/([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]+)/.exec(
      headers.authorization ?? '',
    ) ?? [];
  const hash = sha256(body).toString('hex');
  if (headers['x-amz-content-sha256'] !== hash) return false;
  const [at = '', query = ''] = path.split('?');
  const params = query.split('&').map((one) => (one === '' || one.includes('=') ? one : `${one}=`));
  const signed = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const canonical = [method, at, params.sort().join('&'), signed.join(''), names, hash].join('\n');
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical).toString('hex')].join(
    '\n',
  );
  const hmac = (key: Buffer | string, part: string) => createHmac('sha256', key).update(part).digest();
  const key = scope.split('/').reduce<Buffer | string>(hmac, `AWS4${secret}`);
  return hmac(key, text).toString('hex') === signature;
}

function isHashed({ method, body, headers }: Asked): boolean {
  return method !== 'PUT' || headers['x-amz-checksum-sha256'] === sha256(body).toString('base64');
}

function sha256(of: Buffer | string): Buffer {
  return createHash('sha256').update(of).digest();
}
