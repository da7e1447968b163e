/** Reads a file as it comes. Where the connection breaks, the rest of the same file is asked for, a few times. */
import { Readable } from 'node:stream';
import type { S3 } from './client.ts';
import type { S3Limits } from './place.ts';

/** Some proxies drop what asks for a part of a file, and answer all of it. */
class NotTheRest extends Error {
  constructor() {
    super('an answer that broke off was not gone on with where it ended');
  }
}

const READ_BYTES = 256 * 1024;

type Which = { Bucket: string; Key: string };
type Rest = { Range?: string; IfMatch?: string };

/** Undefined if there is no such file. */
export async function download(s3: S3, key: string, { resumes }: S3Limits): Promise<Readable | undefined> {
  const { sdk, client, bucket, failing } = s3;
  const which: Which = { Bucket: bucket, Key: key };
  const get = (rest: Rest = {}) => client.send(new sdk.GetObjectCommand({ ...which, ...rest }));
  const first = await get().catch((error) => {
    if (error instanceof sdk.NoSuchKey) return undefined;
    return failing('GetObject')(error);
  });
  if (first === undefined) return undefined;
  let body = first.Body as Readable;
  async function* chunks(): AsyncGenerator<Buffer> {
    let [at, left] = [0, resumes];
    let from = body[Symbol.asyncIterator]();
    for (;;) {
      let next: IteratorResult<Buffer>;
      try {
        next = await from.next();
      } catch (error) {
        body.destroy();
        if (at === first?.ContentLength) return;
        if (left-- === 0) failing('GetObject')(error);
        // With the tag of the file, so that its rest is not one of another file.
        const rest = { Range: `bytes=${at}-`, ...(first?.ETag !== undefined && { IfMatch: first.ETag }) };
        const more = await get(rest).catch(failing('GetObject'));
        body = more.Body as Readable;
        if (!more.ContentRange?.startsWith(`bytes ${at}-`)) failing('GetObject')(new NotTheRest());
        from = body[Symbol.asyncIterator]();
        continue;
      }
      if (next.done) return;
      at += next.value.length;
      yield next.value;
    }
  }
  const stream = Readable.from(chunks(), { objectMode: false, highWaterMark: READ_BYTES });
  stream.once('close', () => body.destroy());
  return stream;
}
