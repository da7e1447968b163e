/** One file of a snapshot: a line that says what it is, then rows as COPY gives them; compressed, encrypted, hashed. */
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { messageOf } from '#runtime/errors.ts';
import type { StoredPart } from '#sql/snapshots/catalogue.ts';
import { SnapshotDamaged } from './damage.ts';
import type { DataKey } from './data_key.ts';
import { FrameRefused, openFrames, type Place, sealFrames } from './frames.ts';
import { type Draft, fileOf, type Store, StoreFailed } from './store.ts';

const OWNER_ONLY = 0o600;
/** About as small as the level of pg_dump, at a fifth of its time. */
const ZSTD_LEVEL = 3;
const CHUNK_BYTES = 128 * 1024;
const NEWLINE = 10;

const compressing = { chunkSize: CHUNK_BYTES, params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } };

/** What is known of a file once it is written. */
export type Written = Pick<StoredPart, 'name' | 'bytes' | 'storedBytes' | 'storedSha256'>;

export type PartWriter = {
  /** Resolves when it takes more. */
  write(rows: Buffer): Promise<void>;
  end(): Promise<Written>;
  /** Stops, and leaves the draft to whoever made it. */
  abort(error: unknown): Promise<void>;
};

export function writePart(
  draft: Draft,
  { key, place, header, at }: { key: DataKey; place: Place; header: string; at: string },
): PartWriter {
  const plain = createHash('sha256').update(header);
  const stored = createHash('sha256');
  const size = { plain: Buffer.byteLength(header), stored: 0 };
  let name = '';
  const zstd = createZstdCompress(compressing);
  const file = createWriteStream(draft.path, { flags: 'wx', mode: OWNER_ONLY, flush: true });
  const writing = pipeline(
    zstd,
    (source: AsyncIterable<Buffer>) => sealFrames(source, key.key, place, () => name),
    (source: AsyncIterable<Buffer>) => counted(source, stored, size),
    file,
  ).catch((error) => {
    throw new StoreFailed(at, error);
  });
  writing.catch(() => {}); // whoever writes or ends hears of it
  zstd.write(header);
  return {
    async write(rows) {
      plain.update(rows);
      size.plain += rows.length;
      if (!zstd.write(rows)) await Promise.race([once(zstd, 'drain').catch(() => writing), writing]); // which says what is wrong
    },
    async end() {
      name = plain.digest('hex');
      zstd.end();
      await writing;
      return { name, bytes: size.plain, storedBytes: size.stored, storedSha256: stored.digest('hex') };
    },
    async abort(error) {
      zstd.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      await writing.catch(() => {});
    },
  };
}

async function* counted(
  source: AsyncIterable<Buffer>,
  hash: Hash,
  size: { stored: number },
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    hash.update(chunk);
    size.stored += chunk.length;
    yield chunk;
  }
}

type Which = Pick<StoredPart, 'table' | 'part' | 'name' | 'keyId'>;

/**
 * The rows of a part, without its first line, as they come. Throws NS_SNAPSHOT_DAMAGED at the end at the latest, if the file
 * is not the one that was written: whoever uses rows before that must be able to take it back.
 */
export async function* readPart(
  store: Store,
  key: DataKey,
  brandId: string,
  part: Which & Partial<Pick<StoredPart, 'rows' | 'storedBytes' | 'storedSha256'>>,
): AsyncGenerator<Buffer> {
  const at = fileOf.part(brandId, part);
  const refuse = (why: string, cause?: unknown) =>
    new SnapshotDamaged(
      `Part ${part.part} of ${part.table} is damaged: ${why} (${at} in ${store.place}).`,
      { file: at },
      cause,
    );
  const place = { brandId, keyId: part.keyId, table: part.table, part: part.part };
  const stored = createHash('sha256');
  const size = { stored: 0 };
  const plain = createHash('sha256');
  const source = await store.read(at);
  const zstd = createZstdDecompress({ chunkSize: CHUNK_BYTES });
  const reading = pipeline(
    source,
    (chunks: AsyncIterable<Buffer>) => counted(chunks, stored, size),
    (chunks: AsyncIterable<Buffer>) => openFrames(chunks, key.key, place, part.name),
    zstd,
  );
  reading.catch(() => {}); // the loop below hears of it
  let rows = 0;
  let isInHeader = true;
  try {
    for await (const chunk of zstd as AsyncIterable<Buffer>) {
      plain.update(chunk);
      const begin = isInHeader ? chunk.indexOf(NEWLINE) + 1 : 0;
      if (isInHeader && begin === 0) continue;
      isInHeader = false;
      const content = begin === 0 ? chunk : chunk.subarray(begin);
      if (content.length === 0) continue;
      rows += linesIn(content);
      yield content;
    }
    await reading;
  } catch (error) {
    if (error instanceof FrameRefused) throw refuse(error.message, error);
    if ((error as NodeJS.ErrnoException).code?.startsWith('ZSTD_'))
      throw refuse('it cannot be decompressed', error);
    throw error;
  } finally {
    source.destroy();
  }
  if (plain.digest('hex') !== part.name) throw refuse('its content is another one than its name says');
  if (part.rows !== undefined && rows !== part.rows)
    throw refuse(`it has ${rows} rows instead of ${part.rows}`);
  if (part.storedSha256 !== undefined && stored.digest('hex') !== part.storedSha256)
    throw refuse('it is another file than the one that the manifest names');
}

export function linesIn(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
