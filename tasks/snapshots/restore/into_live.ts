/**
 * Makes the rows of a brand what they were in a snapshot, in one transaction: its figures, the rows of providers, and how far
 * these were read. What people have entered (`app`), what was done (audit, runs, requests) and secrets stay as they are.
 */
import pg from 'pg';
import type { Db, Tx } from '#sql/db/pool.ts';
import { EVENT_IDS, EVENTS } from '#sql/events/marks.ts';
import type { Table } from '#sql/load/table.ts';
import { bookUnbooked } from '#sql/periods/book.ts';
import type { Lost } from '#sql/periods/lost.ts';
import { beginLogAnew } from '#sql/restatements/final_days.ts';
import { rollups as ours } from '#sql/rollups/index.ts';
import { readAlike } from '#sql/snapshots/moment.ts';
import { type Part, readParts } from '#sql/snapshots/parts.ts';
import {
  addMarksOf,
  goneOwners,
  type HeldBrand,
  holdBrand,
  MARKS,
  markConnections,
  markedOwners,
  OWNERS,
} from '#sql/snapshots/restore/live.ts';
import {
  DEFINING,
  markRedefined,
  type Remarking,
  readRedefined,
  redefinedNames,
} from '#sql/snapshots/restore/redefined.ts';
import { type Replaced, replaceRows } from '#sql/snapshots/restore/replace.ts';
import { markSettings, SETTING_TABLES } from '#sql/snapshots/restore/settings.ts';
import { keepForUndo } from '#sql/snapshots/retention.ts';
import { dropScratch, makePassing, type Scratch } from '#sql/snapshots/scratch.ts';
import type { SnapshotTable } from '#sql/snapshots/tables.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { enqueue } from '../../enqueue.ts';
import { rollup } from '../../rollup.ts';
import type { Manifest } from '../manifest.ts';
import { type Comparing, compare, type Sum, summed, type TableDifference } from './compare.ts';
import { readErasures } from './erase_again.ts';
import { fitting } from './fitting.ts';
import { RestoreRefused, refuseErased } from './into_schema.ts';

export type LiveOptions = Comparing & {
  db: Pick<Db, 'transaction'>;
  /** Only these tables of figures and of raw rows. */
  only?: readonly string[] | undefined;
  /** All tables of raw rows whose columns mark something. */
  tables: readonly Table[];
  /** Tables whose rows no provider gives a second time. */
  onceOnly: ReadonlySet<string>;
  /** The snapshot by which this is undone. */
  before: Manifest;
  now: Date;
};

/**
 * `redefined`: what people have changed since the snapshot, so that figures of then have to be computed anew. `lost`: of whom it
 * could not book what it changed of closed months.
 */
export type RestoredLive = {
  tables: Record<string, Replaced>;
  rollups: number;
  redefined: string[];
  lost: Lost[];
};

const IS_ROWS = /^raw\./;
const IS_FIGURES = /^agg\./;
/** How far streams were read, and what is known of their records: it goes with the rows. */
const STATE_OF_ROWS = ['ops.positions', 'ops.early_deletions', 'ops.rejected_rows', 'ops.completeness'];
/** What was told of figures: it goes with all of them. */
const FINAL_DAYS = 'ops.final_days';
const STATE_OF_FIGURES = ['ops.days_carried', 'ops.figure_checks', FINAL_DAYS, 'ops.restatements'];

/** The tables that a restore replaces rows of. */
export function isRestored(name: string, only?: readonly string[]): boolean {
  if (IS_ROWS.test(name) || IS_FIGURES.test(name)) return only === undefined || only.includes(name);
  if (STATE_OF_ROWS.includes(name)) return only === undefined || only.some((one) => IS_ROWS.test(one));
  return only === undefined && STATE_OF_FIGURES.includes(name);
}

const LOCK_NOT_AVAILABLE = '55P03';

export async function restoreIntoLive(options: LiveOptions): Promise<RestoredLive> {
  const { brand } = options.content;
  return options.db
    .transaction((tx) => restore(tx, options))
    .catch((error) => {
      if (!(error instanceof pg.DatabaseError) || error.code !== LOCK_NOT_AVAILABLE) throw error;
      throw refuseBusy(brand, 'others change its rows');
    });
}

async function restore(tx: Tx, options: LiveOptions): Promise<RestoredLive> {
  const { content, limitSeconds, brandId, only } = options;
  await readAlike(tx, limitSeconds);
  const brand = await holdBrand(tx, brandId);
  refuseUnfit(options, brand);
  const { erasures, isKnown } = await readErasures(tx, options, new Date(content.created_at));
  if (!isKnown) throw refuseErased(content);
  if (erasures.some(({ purged }) => purged !== null))
    throw refuseLost(content, 'an account that was purged, which its figures still count');
  const scratch = await makePassing(tx);
  const hasErased = erasures.length > 0; // whose a row is, rows of other tables may say
  const wanted = (await fitting(tx, content)).filter(
    ({ table: { name } }) =>
      isRestored(name, only) ||
      [MARKS, ...OWNERS, ...DEFINING, ...SETTING_TABLES].includes(name) ||
      (hasErased && IS_ROWS.test(name)),
  );
  const found = await compare(tx, scratch, wanted, { ...options, erasures });
  const differs = new Set(found.map(nameOf));
  const gone = await goneOwners(
    tx,
    scratch,
    OWNERS.filter((name) => differs.has(name)),
  );
  if (gone.length > 0) throw refuseLost(content, `${gone.join(', ')}, whose rows would be nobody's`);
  const replaced = eventsFirst(found.filter((one) => isRestored(nameOf(one), only)));
  // Where no row of a provider differs, nothing has to be read again.
  const hasRows = replaced.some((one) => IS_ROWS.test(nameOf(one)));
  const touched = replaced.filter((one) => hasRows || !STATE_OF_ROWS.includes(nameOf(one)));
  refuseChanged(options, touched);
  const timeZone = brand?.timeZone ?? 'UTC';
  const tables = await replace(tx, { ...options, timeZone }, touched);
  if (touched.some((one) => IS_FIGURES.test(nameOf(one)) || STATE_OF_FIGURES.includes(nameOf(one))))
    await beginLogAnew(tx, brandId);
  const ofReplaced = ours.filter(({ writes }) => writes in tables);
  const booking = { brandId, now: options.now, rollups: ofReplaced };
  const lost = await bookUnbooked(tx, { ...booking, cause: 'changed_definition' }); // closed figures stand still
  if (touched.length > 0 && differs.has(MARKS)) await addMarksOf(tx, scratch);
  await tx.query('set local search_path to default');
  const differing = found.map(({ compared }) => compared.table);
  const remarking = { ...options, timeZone, isToldThen: FINAL_DAYS in tables, differing };
  const redefined = touched.some((one) => IS_FIGURES.test(nameOf(one)))
    ? await remark(tx, scratch, remarking)
    : [];
  await dropScratch(tx, scratch);
  const rollups = touched.length > 0 ? await queueRollups(tx, brandId) : 0;
  await keepForUndo(tx, brandId, options.before.id);
  await recordAction(tx, {
    action: 'snapshots.restore',
    ...{ brandId, target: content.id },
    details: { into: 'live', before: options.before.id, tables: Object.keys(tables) },
  });
  return { tables, rollups, redefined, lost };
}

/** Figures of then are computed for what people have set since. Names that. */
async function remark(
  tx: Tx,
  scratch: Scratch,
  remarking: Remarking & { differing: readonly SnapshotTable[] },
): Promise<string[]> {
  const redefined = await readRedefined(tx, scratch, remarking);
  await markRedefined(tx, redefined, remarking);
  return [...redefinedNames(redefined), ...(await markSettings(tx, scratch, remarking))];
}

function refuseLost({ id, brand }: Manifest, what: string): RestoreRefused {
  return new RestoreRefused(
    `Since snapshot ${id} brand ${brand} has lost ${what}.`,
    'Restore into a schema instead: --into schema',
  );
}

function refuseOther({ id, brand }: Manifest, table: string): RestoreRefused {
  return new RestoreRefused(
    `Rows of ${table} did not become those of snapshot ${id}: somebody or something else writes to it. Nothing was changed.`,
    `Look for triggers and rules (\\d ${table} in psql) and for who writes past Nightshift, and try again; or restore into a schema: --into schema`,
    { brand, table },
  );
}

function refuseBusy(brand: string, why: string): RestoreRefused {
  return new RestoreRefused(
    `Brand ${brand} is at work: ${why}. Nothing was changed.`,
    `See what runs, and try again once it has ended: npx nightshift jobs list --brand ${brand}`,
    { brand },
  );
}

function refuseUnfit({ content }: LiveOptions, brand: HeldBrand | undefined): void {
  const { brand: slug } = content;
  if (brand === undefined || brand.isGoing)
    throw new RestoreRefused(
      `Brand ${slug} is gone, or going.`,
      'Restore into a schema instead: --into schema',
    );
  if (brand.running.length > 0) throw refuseBusy(slug, `${brand.running.join(', ')} runs`);
}

/** Otherwise the snapshot of the present would not undo it. */
function refuseChanged({ content, before, onceOnly }: LiveOptions, found: readonly TableDifference[]): void {
  const known = new Map(before.tables.map(({ name, parts }) => [name, textOf(parts.map(fromManifest))]));
  for (const one of found) {
    const name = nameOf(one);
    if (!isKept(onceOnly, name) && known.get(name) !== textOf(one.live))
      throw refuseBusy(content.brand, `${name} has changed since it was kept`);
  }
}

type Replacing = LiveOptions & { timeZone: string };

async function replace(
  tx: Tx,
  options: Replacing,
  found: readonly TableDifference[],
): Promise<Record<string, Replaced>> {
  const { brandId, content, timeZone, tables, onceOnly, now, signal } = options;
  const rows = found.filter((one) => IS_ROWS.test(nameOf(one)));
  const connections = [...new Set(rows.flatMap((one) => one.connections))].sort();
  const hasEvents = rows.some((one) => nameOf(one) === EVENTS);
  const marking = { brandId, timeZone, connections, hasEvents, tables, now };
  await markConnections(tx, marking);
  const done: Record<string, Replaced> = {};
  for (const { compared, wanted } of found) {
    signal?.throwIfAborted();
    const { table } = compared;
    const keeps = isKept(onceOnly, table.name);
    done[table.name] = await replaceRows(tx, compared, keeps ? new Date(content.created_at) : undefined);
    // Read once more as a whole: what somebody changes by SQL meanwhile passes by the locks.
    const { parts } = await readParts(tx, table, brandId);
    if (!keeps && textOf(parts) !== textOf([wanted])) throw refuseOther(content, table.name);
  }
  await markConnections(tx, marking);
  return done;
}

/** In the order of loads, the brand first: whoever queues under several keys holds each until it commits. */
async function queueRollups(tx: Tx, brandId: string): Promise<number> {
  const owners = await markedOwners(tx, brandId);
  for (const retailerId of owners) await enqueue(tx, rollup, { brandId, retailerId });
  return owners.length;
}

function isKept(onceOnly: ReadonlySet<string>, name: string): boolean {
  return onceOnly.has(name) || name === EVENTS || name === EVENT_IDS;
}

function eventsFirst(found: readonly TableDifference[]): TableDifference[] {
  return [
    ...found.filter((one) => nameOf(one) !== EVENT_IDS),
    ...found.filter((one) => nameOf(one) === EVENT_IDS),
  ];
}

const nameOf = ({ compared }: TableDifference) => compared.table.name;

function fromManifest({ part, rows, row_hash }: Manifest['tables'][number]['parts'][number]): Part {
  return { part, rows, rowHash: row_hash };
}

function textOf(parts: readonly Sum[]): string {
  const { rows, rowHash } = summed(parts);
  return `${rows} ${rowHash}`;
}
