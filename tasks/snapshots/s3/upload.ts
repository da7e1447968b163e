/** Puts a local file into a bucket. Only some of it is in memory, and what is there of a large one that failed is removed. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { S3 } from './client.ts';
import { NoTag } from './failures.ts';
import type { S3Limits } from './place.ts';

/** S3 takes no more of one file. */
const PARTS_MAX = 10_000;

export async function upload(s3: S3, key: string, path: string, limits: S3Limits): Promise<void> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  if (size <= limits.partBytes) return await putWhole(s3, key, await read(file, 0, size));
  const partBytes = Math.max(limits.partBytes, Math.ceil(size / PARTS_MAX));
  await putInParts(s3, key, { file, size, partBytes, atOnce: limits.partsAtOnce });
}

async function putWhole({ sdk, client, bucket, failing }: S3, key: string, body: Buffer): Promise<void> {
  const put = new sdk.PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: body,
    ChecksumSHA256: hashOf(body),
  });
  const { ETag } = await client.send(put).catch(failing('PutObject'));
  if (ETag === undefined) failing('PutObject')(new NoTag());
}

type Large = { file: FileHandle; size: number; partBytes: number; atOnce: number };

async function putInParts(s3: S3, key: string, large: Large): Promise<void> {
  const { sdk, client, bucket, failing } = s3;
  const which = { Bucket: bucket, Key: key };
  const begin = new sdk.CreateMultipartUploadCommand({ ...which, ChecksumAlgorithm: 'SHA256' });
  const { UploadId } = await client.send(begin).catch(failing('CreateMultipartUpload'));
  const upload = { ...which, UploadId };
  try {
    const Parts = await putParts(s3, upload, large);
    const complete = new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
    const { ETag } = await client.send(complete).catch(failing('CompleteMultipartUpload'));
    if (ETag === undefined) failing('CompleteMultipartUpload')(new NoTag());
  } catch (error) {
    // What a server keeps all the same, the rule of the bucket for unfinished uploads removes.
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => {});
    throw error;
  }
}

type Upload = { Bucket: string; Key: string; UploadId: string | undefined };
type Put = { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string };

async function putParts(
  { sdk, client, failing }: S3,
  upload: Upload,
  { file, size, partBytes, atOnce }: Large,
): Promise<Put[]> {
  const limit = pLimit(atOnce);
  const broken = new AbortController();
  const one = async (number: number): Promise<Put> => {
    broken.signal.throwIfAborted();
    const begin = (number - 1) * partBytes;
    const body = await read(file, begin, Math.min(partBytes, size - begin));
    const part = { PartNumber: number, ChecksumSHA256: hashOf(body) };
    const put = new sdk.UploadPartCommand({ ...upload, ...part, Body: body });
    const { ETag } = await client.send(put, { abortSignal: broken.signal });
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
