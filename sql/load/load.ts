/**
 * The only writer of `raw`. A load is one page of one stream inside the caller's transaction: it removes duplicates,
 * drops what is older than the stored version, writes only what differs, and marks every brand-local day, and each
 * object, that a changed item touched before or touches now.
 */
import pg from 'pg';
import { isKey, isStorable } from '../db/copy.ts';
import type { Tx } from '../db/pool.ts';
import { type Mark, markPartitions, objectOf } from '../dirty/marks.ts';
import type { Subject } from '../dirty/subject.ts';
import type { Cause } from '../rollups/causes.ts';
import type { Sealer } from '../tenants/secrets.ts';
import { type DatedTable, isDated, writeDatedRows } from './dated_rows.ts';
import { dedupe } from './dedupe.ts';
import type { Invalidation } from './invalidations.ts';
import { type LoadScope, lockConnection } from './load_lock.ts';
import { type PackedItem, pack } from './pack.ts';
import { clearRejected } from './quarantine.ts';
import { redactPage } from './redact/page.ts';
import { statementsOf } from './statements.ts';
import type { ConnectionKey } from './stream_key.ts';
import type { Deletion, Item, Table } from './table.ts';
import { rememberEarly, sortOut } from './versions.ts';
import { watchInvalidations } from './watch_invalidations.ts';
import { type Load, type Plan, stageAndCompare, writeDirect, writeStaged } from './write.ts';

export type LoadTarget = ConnectionKey & {
  /** The first one is the root table. */
  tables: readonly Table[];
  dependents?: readonly Invalidation[];
  /** If given, quarantined records of this stream are removed once they load or are deleted. */
  stream?: string;
  /** Compares each row with the stored one, even if the digest says that nothing has changed. */
  distrustsDigests?: boolean;
  /** Opens the key of the brand's persons: needed where one was erased. */
  sealer?: Sealer;
  /** Why figures change, if not for what rows say: given to the marks. */
  cause?: Cause | null;
  /** Becomes `seen_at` of written rows. */
  now: Date;
};

export type LoadResult = {
  read: number;
  /** Rows of the items. */
  rows: number;
  /** Items with any written row. */
  changed: number;
  unchanged: number;
  /** Items that are older than what is stored, or than another version in the same page. */
  stale: number;
  /** Stored objects that became tombstones. */
  deleted: number;
  /** Marks written. */
  days: number;
};

/** Loads a page of items, and deletions that the provider reported; commits with the caller. */
export async function loadItems(
  tx: Tx,
  target: LoadTarget,
  items: readonly (Item | PackedItem)[],
  reported: readonly Deletion[] = [],
): Promise<LoadResult> {
  const { brandId, connectionId, tables, stream, cause = null, now } = target;
  const statements = statementsOf(tables);
  const place = { ...(await lockConnection(tx, { brandId, connectionId })), cause };
  const root = { brandId, connectionId, rootTable: tables[0]?.name ?? '' };
  const given = { items: items.map((item) => pack(target, item)), deletions: reported };
  const { items: packed, deletions } = place.hasErased ? await redactPage(tx, target, given) : given;
  const [rootTable] = tables;
  if (isDated(rootTable)) return loadDated(tx, target, place, { table: rootTable, items: packed, deletions });
  // An id that cannot be a key is stored nowhere, so there is nothing to delete.
  const deduped = dedupe(
    packed,
    deletions.filter(({ id, deletedAt }) => isKey(id) && isStorable(deletedAt)),
  );
  const page = await sortOut(tx, root, statements, deduped, !target.distrustsDigests);
  await rememberEarly(tx, root, page, now);
  if (stream !== undefined) {
    const settles = ids([...page.current, ...deduped.deletions, ...deletions.filter(({ id }) => !isKey(id))]);
    await clearRejected(tx, { brandId, connectionId, stream }, settles);
  }

  const load = { tx, brandId, connectionId, statements, now };
  const plan = { staged: page.known, direct: page.fresh, deletions: page.deletions };
  const { changed, days } = await writePage(load, target, place, plan);
  return {
    read: items.length,
    rows: packed.reduce((sum, { parts }) => sum + rowsIn(parts), 0),
    changed,
    unchanged: page.current.length - changed,
    stale: deduped.items.length - page.current.length + deduped.superseded,
    deleted: page.deleted,
    days,
  };
}

type DatedPage = { table: DatedTable; items: readonly PackedItem[]; deletions: readonly Deletion[] };

async function loadDated(
  tx: Tx,
  { brandId, connectionId, tables, dependents = [], stream, now }: LoadTarget,
  scope: LoadScope,
  { table, items, deletions }: DatedPage,
): Promise<LoadResult> {
  if (deletions.length + dependents.length > 0)
    throw new TypeError(
      `${table.name} keeps ${table.keeps}: nothing deletes them, and nothing else depends on them`,
    );
  if (stream !== undefined) await clearRejected(tx, { brandId, connectionId, stream }, ids(items));
  const load = { tx, brandId, connectionId, tables, scope, now };
  const { changed, days } = await writeDatedRows(load, table, items);
  const read = items.length;
  return { read, rows: read, changed, unchanged: read - changed, stale: 0, deleted: 0, days };
}

type Written = { changed: number; days: number };

const UNIQUE_VIOLATION = '23505';

/** Writes new objects directly; if one of their rows exists after all, everything goes through staging. */
async function writePage(load: Load, target: LoadTarget, place: LoadScope, plan: Plan): Promise<Written> {
  if (plan.direct.length === 0) return write(load, target, place, plan);
  await load.tx.query('savepoint direct_load');
  try {
    const written = await write(load, target, place, plan);
    await load.tx.query('release savepoint direct_load');
    return written;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== UNIQUE_VIOLATION) throw error;
    await load.tx.query('rollback to savepoint direct_load');
    const { staged, direct, deletions } = plan;
    return write(load, target, place, { staged: [...staged, ...direct], direct: [], deletions });
  }
}

async function write(load: Load, target: LoadTarget, place: LoadScope, plan: Plan): Promise<Written> {
  const { tx, brandId, connectionId, now } = load;
  const { tables, dependents = [] } = target;
  const { timeZone, owners, cause = null } = place;
  const differences = await stageAndCompare(load, plan);
  const fresh = new Set(ids(plan.direct));
  const stored = new Set([...differences.content].filter((id) => !fresh.has(id)));
  const touched = [...plan.staged.filter(({ id }) => differences.content.has(id)), ...plan.direct];
  const changed = plan.staged.filter(({ id }) => differences.ids.has(id)).length + plan.direct.length;
  if (changed + differences.content.size === 0) return { changed: 0, days: 0 };

  const marks = await storedMarks(load, timeZone, stored);
  const changedTables = new Set([...differences.tables, ...tablesOf(tables, plan.direct)]);
  const dependentMarks = await watchInvalidations(
    tx,
    { brandId, connectionId, timeZone, tables, dependents },
    { ids: stored, items: touched, tables: changedTables },
  );
  await writeDirect(load, plan.direct);
  await writeStaged(load, differences);
  marks.push(...(await dependentMarks()), ...namedBy(touched, connectionId));

  const instants = instantsOf(touched);
  return {
    changed,
    days: await markPartitions(tx, { brandId, owners, timeZone, cause, now }, { marks, instants }),
  };
}

async function storedMarks(load: Load, timeZone: string, roots: ReadonlySet<string>): Promise<Mark[]> {
  const { tx, brandId, connectionId, statements } = load;
  if (statements.marks === undefined || roots.size === 0) return [];
  const values = [brandId, connectionId, [...roots], timeZone];
  const { rows } = await tx.query<Mark>({ ...statements.marks, values });
  return rows;
}

function instantsOf(items: readonly PackedItem[]): Map<Subject, Set<number>> {
  const instants = new Map<Subject, Set<number>>();
  for (const item of items) {
    for (const [subject, times] of item.instants) {
      const all = instants.get(subject) ?? new Set();
      instants.set(subject, all);
      for (const time of times) all.add(time);
    }
  }
  return instants;
}

function namedBy(items: readonly PackedItem[], connectionId: string): Mark[] {
  return items.flatMap(({ named }) =>
    named.map(({ object, ...mark }) => ({ ...mark, object: object && objectOf(connectionId, object) })),
  );
}

function tablesOf(tables: readonly Table[], items: readonly PackedItem[]): Table[] {
  return tables.filter((table) => items.some(({ parts }) => parts.get(table)?.rows));
}

function rowsIn(parts: PackedItem['parts']): number {
  let sum = 0;
  for (const { rows } of parts.values()) sum += rows;
  return sum;
}

function ids(items: readonly { id: string }[]): string[] {
  return items.map(({ id }) => id);
}
