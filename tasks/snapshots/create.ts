/**
 * Makes a snapshot of a brand: several sessions read the same instant, a table each, and what is not stored yet becomes
 * files. The manifest comes last. A run may end anywhere: the next one uses the files that it left.
 */
import { randomUUID } from 'node:crypto';
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import {
  beginSnapshot,
  type Completed,
  completeSnapshot,
  latestSnapshot,
  recordParts,
} from '#sql/snapshots/catalogue.ts';
import { forgetBrokenOff } from '#sql/snapshots/garbage.ts';
import { atOneMoment, type Moment, proveSession, within } from '#sql/snapshots/moment.ts';
import { type Scope, type SnapshotTable, snapshotTables } from '#sql/snapshots/tables.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { adoptManifests } from './adopt.ts';
import { type DataKey, makeDataKey } from './data_key.ts';
import { type KnownParts, knownParts } from './known_parts.ts';
import { FORMAT, hashOf, type Manifest, manifestFile, manifestTable, totalsOf } from './manifest.ts';
import { fileOf, ifAllowed, putText, type Store } from './store.ts';
import { throttle } from './throttle.ts';
import { type NewPart, writeTable } from './write_table.ts';

export type CreateOptions = {
  /** Where the catalogue is written. */
  db: Pick<Db, 'query' | 'transaction'>;
  /** Sessions of its own for reading: one for the moment and `readers` more. */
  reading: Pick<Db, 'transaction'>;
  readers: number;
  store: Store;
  sealer: Sealer;
  brand: { id: string; slug: string };
  scope: Scope;
  signal: AbortSignal;
  limitSeconds: number;
  bytesPerSecond: number;
  /** Called once no other process can be making a snapshot of the brand. */
  onAlone?(): Promise<void>;
  progress(state: { tables: number; parts: number; bytes: number }): void;
};

export type Created = {
  id: string;
  content: Manifest;
  parts: readonly NewPart[];
  /** What is wrong with earlier ones that the catalogue does not know. */
  damages: readonly string[];
  /** To be written with the end of the run. */
  complete(tx: Tx): Promise<void>;
};

/** Parts are written into the catalogue this often, so that a run that is broken off loses little. */
const RECORD_EVERY_MS = 5_000;

export class SnapshotTooLong extends coded('NS_SNAPSHOT_TOO_LONG') {
  constructor(brand: string, limitSeconds: number) {
    super(
      `The snapshot of ${brand} was not made within ${limitSeconds / 60} minutes, for which it may hold back vacuum.`,
      {
        hint: 'What it wrote is kept, so the next one has less to do. Set NIGHTSHIFT_SNAPSHOT_MINUTES higher, or NIGHTSHIFT_SNAPSHOT_RATE.',
        context: { brand, limitSeconds },
      },
    );
  }
}

export async function createSnapshot(options: CreateOptions): Promise<Created> {
  const { reading, brand, limitSeconds } = options;
  const limit = AbortSignal.timeout(limitSeconds * 1_000);
  const signal = AbortSignal.any([options.signal, limit]);
  let first: unknown; // a session that is broken off has errors of its own afterwards
  const moment = { brandId: brand.id, limitSeconds };
  try {
    return await atOneMoment(reading, moment, (tx, at) =>
      create({ ...options, signal }, tx, at).catch((error) => {
        first ??= error;
        throw error;
      }),
    );
  } catch (error) {
    options.signal.throwIfAborted();
    if (limit.aborted) throw new SnapshotTooLong(brand.slug, limitSeconds);
    throw first ?? error;
  }
}

async function create(options: CreateOptions, tx: Tx, moment: Moment): Promise<Created> {
  const { db, store, sealer, brand, scope, signal } = options;
  await options.onAlone?.();
  await store.clearDrafts(brand.id);
  const adopted = await ifAllowed(() => adoptManifests({ db, store, sealer, brandId: brand.id }));
  const which = { brandId: brand.id, id: randomUUID() };
  const known = await knownParts(db, store, brand.id);
  const previous = await latestSnapshot(db, brand.id);
  const key = await makeDataKey(store, sealer, { ...which, signal });
  const begun = { ...which, brand: brand.slug, scope, store: store.place, createdAt: moment.at };
  await db.transaction((writing) => beginSnapshot(writing, begun));
  const tables = await snapshotTables(tx, scope);
  const parts = await writeTables(tables, { ...options, known, key, exported: moment.exported });
  const content = manifestOf({ options, moment, id: which.id, tables, parts, previous });
  const text = manifestFile(content, key);
  await store.settle(); // a manifest never names what a crash could still take back
  await proveAlone(tx, signal);
  await putText(store, brand.id, { name: fileOf.manifest(brand.id, which.id), text, signal });
  await store.settle();
  const completed: Completed = {
    ...{
      ...which,
      lsn: moment.lsn,
      serverVersion: moment.serverVersion,
      schemaVersion: moment.schemaVersion,
    },
    ...{ previousId: content.previous?.id ?? null, manifestSha256: hashOf(text) },
  };
  return {
    ...{ id: which.id, content, parts, damages: adopted?.damages ?? [] },
    async complete(writing) {
      await completeSnapshot(writing, completed);
      await forgetBrokenOff(writing, which);
    },
  };
}

/** Without the lock a sweep may have taken a file for left over that the manifest would name. */
async function proveAlone(tx: Tx, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await proveSession(tx);
}

type Writing = CreateOptions & { known: KnownParts; key: DataKey; exported: string };

/** Each session takes the next table that nobody has. */
async function writeTables(tables: readonly SnapshotTable[], options: Writing): Promise<NewPart[]> {
  const { reading, readers, exported, limitSeconds, brand, key, progress } = options;
  const parts: NewPart[] = [];
  const recorder = recorderOf(options);
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const work = {
    ...{ brandId: brand.id, store: options.store, key, known: options.known, signal },
    throttle: throttle(options.bytesPerSecond),
    async onPart(part: NewPart) {
      parts.push(part);
      bytes += part.bytes;
      await recorder.add(part);
    },
  };
  let [bytes, done] = [0, 0];
  let first: unknown;
  const waiting = tables.toSorted((a, b) => b.bytes - a.bytes);
  const read = () =>
    within(reading, { exported, limitSeconds }, async (tx) => {
      try {
        for (let table = waiting.shift(); table; table = waiting.shift()) {
          signal.throwIfAborted();
          await writeTable(tx, table, work);
          progress({ tables: ++done, parts: parts.length, bytes });
        }
      } catch (error) {
        first ??= error; // breaking off the others gives them errors of their own
        failed.abort(error);
        throw error;
      }
    });
  const ends = await Promise.allSettled(Array.from({ length: readers }, read));
  if (first !== undefined) throw first;
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  await recorder.flush();
  return parts;
}

function recorderOf({ db, brand, key }: Writing) {
  let waiting: NewPart[] = [];
  let at = performance.now();
  let last: Promise<unknown> = Promise.resolve();
  const flush = () => {
    const parts = waiting;
    waiting = [];
    at = performance.now();
    if (parts.length > 0)
      last = last.then(() =>
        db.transaction((tx) => recordParts(tx, { brandId: brand.id, id: key.id }, parts)),
      );
    return last;
  };
  return {
    flush,
    async add(part: NewPart) {
      waiting.push(part);
      if (performance.now() - at > RECORD_EVERY_MS) await flush();
    },
  };
}

type ManifestOptions = {
  options: CreateOptions;
  moment: Moment;
  id: string;
  tables: readonly SnapshotTable[];
  parts: readonly NewPart[];
  previous: Awaited<ReturnType<typeof latestSnapshot>>;
};

function manifestOf({ options, moment, id, tables, parts, previous }: ManifestOptions): Manifest {
  const { brand, scope } = options;
  const ofTable = Map.groupBy(parts, ({ table }) => table);
  const inOrder = (some: readonly NewPart[] = []) => some.toSorted((a, b) => (a.part < b.part ? -1 : 1));
  const listed = tables.map((table) => manifestTable(table, inOrder(ofTable.get(table.name))));
  return {
    ...{ format: FORMAT, id, brand_id: brand.id, brand: brand.slug, scope },
    ...{ created_at: moment.at.toISOString(), lsn: moment.lsn },
    ...{ server_version: moment.serverVersion, schema_version: moment.schemaVersion },
    previous: previous?.manifestSha256 ? { id: previous.id, sha256: previous.manifestSha256 } : null,
    tables: listed,
    totals: totalsOf(listed),
  };
}
