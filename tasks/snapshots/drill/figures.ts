/**
 * Proves the figures of a snapshot by its own rows: in a database of its own the rollups of the product compute all of them from
 * nothing, and each cell is compared with what was stored. What waited to be computed at the instant of the snapshot is computed
 * first, as it would be after a restore, so that only what was told as a figure is proved.
 */
import type { Stream } from '#connectors/kit/stream.ts';
import { coded } from '#runtime/errors.ts';
import type { Db } from '#sql/db/pool.ts';
import { markAllDays, type Owner } from '#sql/dirty/marks.ts';
import { markEvents } from '#sql/events/marks.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { type FiguresDiffer, figuresDiffer, rangesKnown, setAside } from '#sql/snapshots/recomputed.ts';
import { markedOwners } from '#sql/snapshots/restore/live.ts';
import { snapshotTables } from '#sql/snapshots/tables.ts';
import { batches, RANGE_DAYS_MAX } from '../../rollup.ts';
import type { Manifest } from '../manifest.ts';

export type Figures = {
  /** Tables of figures that were computed. */
  tables: number;
  /** Days and objects that waited to be computed. */
  waiting: number;
  differing: FiguresDiffer[];
};

export type Computing = {
  made: Db;
  content: Pick<Manifest, 'id' | 'brand' | 'brand_id' | 'created_at'>;
  rollups: readonly Rollup[];
  streams: readonly Stream[];
  signal: AbortSignal;
  progress?(state: { at: string }): void;
};

/** Marks make others: those of retailers some of the brand, and so on. */
const ROUNDS_MAX = 100;

export class FiguresWrong extends coded('NS_SNAPSHOT_FIGURES') {
  constructor({ id, brand }: Pick<Manifest, 'id' | 'brand'>, differing: readonly FiguresDiffer[]) {
    const days = differing.flatMap(({ cells }) => cells.flatMap(({ key }) => key.day ?? [])).sort();
    const range = days.length > 0 ? `--from ${days[0]} --to ${days.at(-1)}` : '--from DAY --to DAY';
    super(`Figures of ${brand} in snapshot ${id} are not what its rows give. ${saidOf(differing)}`, {
      hint: `Compute them again: npx nightshift rollup run --brand ${brand} ${range} --wait. If they differ in the next drill, report it as a fault.`,
      context: { snapshot: id, differing },
    });
  }
}

const CELLS_SAID_MAX = 5;

function saidOf(differing: readonly FiguresDiffer[]): string {
  const cells = differing.flatMap((one) => one.cells);
  const said = cells.slice(0, CELLS_SAID_MAX).map(({ table, key, column, stored, recomputed }) => {
    const named = Object.entries(key).map(([name, value]) => `${name} ${value}`);
    return `${table} (${named.join(', ')})${column === null ? '' : ` ${column}`}: stored ${stored ?? 'nothing'}, recomputed ${recomputed ?? 'nothing'}.`;
  });
  const rows = differing.reduce((sum, one) => sum + one.onlyStored + one.onlyRecomputed + one.changed, 0);
  const money = differing.flatMap((one) =>
    one.money.map(
      ({ column, currency, one: stored, other }) =>
        `Sum of ${one.table}.${column} in ${currency}: stored ${stored}, recomputed ${other}.`,
    ),
  );
  return [
    ...said,
    `In all ${rows} rows of ${differing.length} tables.`,
    ...money.slice(0, CELLS_SAID_MAX),
  ].join(' ');
}

/** In a database that has the snapshot and nothing else. */
export async function proveFigures(options: Computing): Promise<Figures> {
  const { made, content, rollups } = options;
  const brandId = content.brand_id;
  const instants = await instantsOf(made, content);
  const waiting = await countMarks(made, brandId);
  await computeMarked(options, instants);
  await made.transaction((tx) => setAside(tx, rollups, brandId));
  await markEverything(options);
  const ranges = await rangesKnown(made, rollups, { brandId, daysMax: RANGE_DAYS_MAX });
  for (const owner of instants.keys())
    for (const range of ranges) await work(options, { ...whichOf(options, instants, owner), ...range });
  await computeMarked(options, instants);
  const tables = new Map((await snapshotTables(made, 'aggregates')).map((table) => [table.name, table]));
  const differing: FiguresDiffer[] = [];
  for (const rollup of rollups) {
    const table = tables.get(rollup.writes);
    if (table === undefined) throw new TypeError(`${rollup.writes} is in no snapshot`);
    const found = await made.transaction((tx) => figuresDiffer(tx, rollup, table));
    if (found !== undefined) differing.push(found);
  }
  return { tables: rollups.length, waiting, differing };
}

type Instants = ReadonlyMap<Owner, Date>;

/** States that last, such as subscriptions, were carried up to these; the brand comes last. */
async function instantsOf(made: Db, { brand_id, created_at }: Computing['content']): Promise<Instants> {
  const { rows } = await made.query<{ id: string; at: Date }>(
    `select r.id, coalesce(c.carried_to, $2) as at
     from app.retailers r left join ops.days_carried c on c.brand_id = r.brand_id and c.retailer_id = r.id
     where r.brand_id = $1 order by r.id`,
    [brand_id, created_at],
  );
  return new Map([...rows.map(({ id, at }) => [id, at] as const), [null, new Date(created_at)]]);
}

async function countMarks(made: Db, brandId: string): Promise<number> {
  const { rows } = await made.query<{ n: number }>(
    `select count(*) as n from (select distinct retailer_id, day, object from ops.marks where brand_id = $1) m`,
    [brandId],
  );
  return rows[0]?.n ?? 0;
}

/** Until no mark is left. */
async function computeMarked(options: Computing, instants: Instants): Promise<void> {
  const { made, content } = options;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const owners = await made.transaction((tx) => markedOwners(tx, content.brand_id));
    if (owners.length === 0) return;
    for (const owner of [...owners].reverse()) await work(options, whichOf(options, instants, owner));
  }
  throw new TypeError(`the marks of a brand do not come to an end in ${ROUNDS_MAX} rounds`);
}

async function work(
  { made, signal, progress }: Computing,
  which: Parameters<typeof batches>[0],
): Promise<void> {
  let days = 0;
  for await (const batch of batches(which, made.transaction, signal)) {
    days += batch.days;
    progress?.({ at: `figures of ${days} days` });
  }
}

function whichOf({ content, rollups }: Computing, instants: Instants, owner: Owner) {
  const instant = instants.get(owner) ?? new Date(content.created_at);
  return { brandId: content.brand_id, retailerId: owner, rollups, instant, loggedMax: 0 };
}

/** All that rows touch, as after a change of the zone of the brand. */
async function markEverything({ made, content, streams }: Computing): Promise<void> {
  const brandId = content.brand_id;
  await made.transaction(async (tx) => {
    const { rows } = await tx.query<{ timeZone: string }>(
      'select time_zone as "timeZone" from app.brands where id = $1',
      [brandId],
    );
    const timeZones = rows.map(({ timeZone }) => timeZone);
    const tables = streams.flatMap((stream) => [...stream.tables]);
    const now = new Date(content.created_at);
    await markAllDays(tx, { brandId, timeZones, tables, cause: 'changed_definition', now });
    await markEvents(tx, brandId, timeZones);
  });
}
