/** Writes the parts of one table that are not stored yet. */

import type { Tx } from '#sql/db/pool.ts';
import type { StoredPart } from '#sql/snapshots/catalogue.ts';
import { type Part, readParts } from '#sql/snapshots/parts.ts';
import type { SnapshotTable } from '#sql/snapshots/tables.ts';
import { copyRows } from './copy_rows.ts';
import type { DataKey } from './data_key.ts';
import type { KnownParts } from './known_parts.ts';
import { hashOf, headerOf } from './manifest.ts';
import { type PartWriter, writePart } from './part_file.ts';
import { type Draft, fileOf, type Store } from './store.ts';
import type { Throttle } from './throttle.ts';

export type NewPart = StoredPart & { isNew: boolean };

export type TableWork = {
  brandId: string;
  store: Store;
  key: DataKey;
  known: KnownParts;
  throttle: Throttle;
  signal: AbortSignal;
  /** Called with each part once its file has its name. */
  onPart(part: NewPart): Promise<void>;
};

const NEWLINE = 10;

export async function writeTable(tx: Tx, table: SnapshotTable, work: TableWork): Promise<void> {
  const { brandId, known, onPart, signal } = work;
  const { parts, copyStatement } = await readParts(tx, table, brandId);
  const missing: Part[] = [];
  for (const part of parts) {
    const stored = known.find(table.name, hashOf(headerOf(brandId, table, part.part)), part);
    if (stored) await onPart({ ...stored, isNew: false });
    else missing.push(part);
  }
  signal.throwIfAborted();
  if (missing.length > 0) await writeParts(copyRows(tx, copyStatement(missing)), table, missing, work);
}

/** The rows come part by part, and how many each has is known: there the stream is cut. */
async function writeParts(
  rows: AsyncIterable<Buffer>,
  table: SnapshotTable,
  parts: readonly Part[],
  work: TableWork,
): Promise<void> {
  const left = [...parts];
  let open: OpenPart | undefined;
  let ending = Promise.resolve();
  try {
    for await (const chunk of rows) {
      await work.throttle(chunk.length, work.signal);
      work.signal.throwIfAborted();
      for (let at = 0; at < chunk.length; ) {
        open ??= await openPart(table, left.shift(), work);
        const end = takeRows(open, chunk, at);
        await open.writer.write(chunk.subarray(at, end));
        at = end;
        if (open.rowsLeft > 0) continue;
        await ending; // while the next one is read, this one reaches the disk
        ending = endPart(open, work);
        ending.catch(() => {});
        open = undefined;
      }
    }
    await ending;
    if (open || left.length > 0) throw new TypeError(`${table.name} has fewer rows than were counted`);
  } catch (error) {
    await ending.catch(() => {});
    await open?.writer.abort(error);
    await open?.draft[Symbol.asyncDispose]();
    throw error;
  }
}

type OpenPart = {
  stored: Pick<StoredPart, 'table' | 'part' | 'keyId' | 'headerSha256' | 'rows' | 'rowHash'>;
  draft: Draft;
  writer: PartWriter;
  rowsLeft: number;
};

async function openPart(table: SnapshotTable, part: Part | undefined, work: TableWork): Promise<OpenPart> {
  if (part === undefined) throw new TypeError(`${table.name} has more rows than were counted`);
  const { brandId, store, key } = work;
  const header = headerOf(brandId, table, part.part);
  const stored = { ...part, table: table.name, keyId: key.id, headerSha256: hashOf(header) };
  const place = { brandId, keyId: key.id, table: table.name, part: part.part };
  const draft = await store.draft(brandId);
  return {
    ...{ stored, draft, rowsLeft: part.rows },
    writer: writePart(draft, { key, place, header, at: store.place }),
  };
}

/** Where the rows of the part end in a chunk. */
function takeRows(open: OpenPart, chunk: Buffer, from: number): number {
  let at = from;
  while (open.rowsLeft > 0) {
    const newline = chunk.indexOf(NEWLINE, at);
    if (newline === -1) return chunk.length;
    at = newline + 1;
    open.rowsLeft--;
  }
  return at;
}

/** A file that some snapshot has is left as it is: its manifest knows that one. */
async function endPart({ stored, draft, writer }: OpenPart, work: TableWork): Promise<void> {
  const { brandId, store, known, onPart, signal } = work;
  await using _ = draft;
  const written = await writer.end();
  const same = await known.named(written.name);
  if (same) return onPart({ ...stored, ...same, rowHash: stored.rowHash, isNew: false });
  await store.put(fileOf.part(brandId, { ...written, keyId: stored.keyId }), draft, signal);
  await onPart({ ...stored, ...written, isNew: true });
}
