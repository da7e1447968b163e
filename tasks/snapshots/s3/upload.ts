/** Puts a local file into a bucket. Only some of it is in memory, and what is there of a large one that failed is removed. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { S3 } from './client.ts';
import { NoTag } from './failures.ts';
import type { S3Limits } from './place.ts';

/** S3 takes no more of one file. */
const PARTS_MAX = 10_000;

/** How long a server may take to forget an upload that has failed: who waits is often being stopped. */
const FORGET_MS = 10_000;

type Options = { limits: S3Limits; signal: AbortSignal | undefined };

/** Throws the reason of the signal once that ends it. */
export async function upload(s3: S3, key: string, path: string, { limits, signal }: Options): Promise<void> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  try {
    if (size <= limits.partBytes) return await putWhole(s3, key, await read(file, 0, size), signal);
    const partBytes = Math.max(limits.partBytes, Math.ceil(size / PARTS_MAX));
    await putInParts(s3, key, { file, size, partBytes, atOnce: limits.partsAtOnce, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

async function putWhole(
  { sdk, client, bucket, failing }: S3,
  key: string,
  body: Buffer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const put = new sdk.PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: body,
    ChecksumSHA256: hashOf(body),
  });
  const { ETag } = await client.send(put, ending(signal)).catch(failing('PutObject'));
  if (ETag === undefined) failing('PutObject')(new NoTag());
}

type Large = {
  file: FileHandle;
  size: number;
  partBytes: number;
  atOnce: number;
  signal: AbortSignal | undefined;
};

async function putInParts(s3: S3, key: string, large: Large): Promise<void> {
  const { sdk, client, bucket, failing } = s3;
  const which = { Bucket: bucket, Key: key };
  const begin = new sdk.CreateMultipartUploadCommand({ ...which, ChecksumAlgorithm: 'SHA256' });
  const by = ending(large.signal);
  const { UploadId } = await client.send(begin, by).catch(failing('CreateMultipartUpload'));
  const upload = { ...which, UploadId };
  try {
    const Parts = await putParts(s3, upload, large);
    const complete = new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
    const { ETag } = await client.send(complete, by).catch(failing('CompleteMultipartUpload'));
    if (ETag === undefined) failing('CompleteMultipartUpload')(new NoTag());
  } catch (error) {
    // What a server keeps all the same, the rule of the bucket for unfinished uploads removes.
    const forget = new sdk.AbortMultipartUploadCommand(upload);
    await client.send(forget, ending(AbortSignal.timeout(FORGET_MS))).catch(() => {});
    throw error;
  }
}

/** Begins an upload and has the server forget it, for which a key needs what it needs to put files. */
export async function tryUpload(s3: S3, key: string, signal: AbortSignal): Promise<void> {
  const { sdk, client, bucket, failing } = s3;
  const which = { Bucket: bucket, Key: key };
  const begin = new sdk.CreateMultipartUploadCommand(which);
  const { UploadId } = await client.send(begin, ending(signal)).catch(failing('CreateMultipartUpload'));
  const forget = new sdk.AbortMultipartUploadCommand({ ...which, UploadId });
  await client.send(forget, ending(signal)).catch(failing('AbortMultipartUpload'));
}

/** What a request is given, so that the signal ends it. */
export function ending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

type Upload = { Bucket: string; Key: string; UploadId: string | undefined };
type Put = { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string };

async function putParts(
  { sdk, client, failing }: S3,
  upload: Upload,
  { file, size, partBytes, atOnce, signal: outer }: Large,
): Promise<Put[]> {
  const limit = pLimit(atOnce);
  const broken = new AbortController();
  const signal = outer === undefined ? broken.signal : AbortSignal.any([outer, broken.signal]);
  const one = async (number: number): Promise<Put> => {
    signal.throwIfAborted();
    const begin = (number - 1) * partBytes;
    const body = await read(file, begin, Math.min(partBytes, size - begin));
    const part = { PartNumber: number, ChecksumSHA256: hashOf(body) };
    const put = new sdk.UploadPartCommand({ ...upload, ...part, Body: body });
    const { ETag } = await client.send(put, ending(signal));
    return { ...part, ETag };
  };
  const numbers = Array.from({ length: Math.ceil(size / partBytes) }, (_, at) => at + 1);
  let first: unknown; // breaking off the others gives them errors of their own
  const puts = numbers.map((number) =>
    limit(one, number).catch((error) => {
      first ??= error;
      broken.abort();
      throw error;
    }),
  );
  const ends = await Promise.allSettled(puts); // nobody reads the file any more once this returns
  if (first !== undefined) failing('UploadPart')(first);
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const body = Buffer.alloc(length);
  const { bytesRead } = await file.read(body, 0, length, position);
  if (bytesRead < length) throw new TypeError('a draft has become shorter');
  return body;
}

function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('base64');
}
