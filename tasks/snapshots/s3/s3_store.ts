/**
 * A store in a bucket of S3 or of what speaks like it. To make snapshots a key only needs to put objects; listing, reading
 * and deleting are for who verifies, restores and cleans up.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { drafts } from '../drafts.ts';
import {
  BRAND,
  FOLDER_MODE,
  type Store,
  type StoredFile,
  StoreFailed,
  StoreFileMissing,
  storePath,
} from '../store.ts';
import { opener } from './client.ts';
import { download } from './download.ts';
import { frontOf, nameOf, type S3Limits, type S3Place, limits as usual } from './place.ts';
import { ending, tryUpload, upload } from './upload.ts';

export function s3Store(at: S3Place, limits: S3Limits = usual): Store {
  const open = opener(at, limits);
  const place = nameOf(at);
  const front = frontOf(at);
  const keyOf = (name: string) => front + storePath(place, name);
  const draftsDir = resolve(at.draftsDir);
  const failing = (error: unknown) => {
    throw new StoreFailed(draftsDir, error);
  };
  const folder = async (path: string) => {
    await mkdir(path, { recursive: true, mode: FOLDER_MODE }).catch(failing);
  };
  const pages = async function* (Prefix: string, signal?: AbortSignal) {
    const { sdk, client, bucket, failing: saying } = await open();
    const found = sdk.paginateListObjectsV2(
      { client, pageSize: limits.pageKeys },
      { Bucket: bucket, Prefix, Delimiter: '/' },
      ending(signal),
    );
    try {
      yield* found;
    } catch (error) {
      saying('ListObjectsV2')(error);
    }
  };

  return {
    place,
    ...drafts({ place: draftsDir, folder, failing }),
    put: async (name, { path }, signal) => upload(await open(), keyOf(name), path, { limits, signal }),
    /** What was put outlasts everything once it is answered. */
    async settle() {},
    async read(name) {
      const found = await download(await open(), keyOf(name), limits);
      if (found === undefined) throw new StoreFileMissing(place, name);
      return found;
    },
    async *list(name): AsyncGenerator<StoredFile> {
      for await (const { Contents = [] } of pages(`${keyOf(name)}/`))
        for (const { Key = '', Size = 0 } of Contents) yield { name: Key.slice(front.length), bytes: Size };
    },
    async brands(signal) {
      const found: string[] = [];
      for await (const { CommonPrefixes = [] } of pages(front, signal))
        for (const { Prefix = '' } of CommonPrefixes) found.push(Prefix.slice(front.length, -1));
      return found.filter((name) => BRAND.test(name)).sort();
    },
    tryWrite: async (signal) => tryUpload(await open(), front + randomUUID(), signal),
    async remove(name) {
      const { sdk, client, bucket, failing: saying } = await open();
      const gone = new sdk.DeleteObjectCommand({ Bucket: bucket, Key: keyOf(name) });
      await client.send(gone).catch(saying('DeleteObject'));
    },
  };
}
