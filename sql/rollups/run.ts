/**
 * Runs rollups for partitions of one retailer, or of the brand itself: for all given days, or each for the marks that
 * it follows.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { type Mark, markPartitions, type Owner } from '../dirty/marks.ts';
import type { Subject } from '../dirty/subject.ts';
import { handsOnObjects } from './merge.ts';
import type { Rollup } from './rollup.ts';

export type RollupTarget = { brandId: string; retailerId: Owner; now: Date };

export type Rebuilt = {
  written: number;
  deleted: number;
  /** Marks of the brand itself, whose rollups read what those of a retailer have changed. */
  ofBrand: number;
  /** By `counts` of the rollups. */
  counted: Record<string, number>;
  /** Sums that differ from those that they must equal. */
  wrong: number;
};

/**
 * The limit of changed partitions that go to the readers of a rollup at once; marks keep the others for the next claim.
 */
const HANDED_ON_MAX = 60;

type Answer = {
  written: number;
  deleted: number;
  touched: string[] | null;
  named: number;
  wrong: number;
  counted: number;
};

/** Computes all rollups for these days. */
export async function runRollups(
  tx: Tx,
  rollups: readonly Rollup[],
  { days, ...target }: RollupTarget & { days: readonly string[] },
): Promise<Rebuilt & { objects: number }> {
  const all = new Set(days);
  const { rebuilt, objects } = await run(tx, rollups, target, {
    partitionsOf: (rollup) => (rollup.object ? objectsOf(tx, rollup, target, days) : [...days]),
    handOn: (rollup, touched) =>
      handsOnObjects(rollup) ? [...touched] : touched.filter((day) => !all.has(day)),
  });
  return { ...rebuilt, objects: objects.size };
}

/** The objects that belong to days. */
async function objectsOf(
  tx: Tx,
  { name, objectsSql }: Rollup,
  { brandId, retailerId }: RollupTarget,
  days: readonly string[],
): Promise<string[]> {
  if (objectsSql === undefined) throw new TypeError(`${name} does not say which objects belong to a day`);
  const values = [brandId, days.map(() => retailerId), days];
  const { rows } = await tx.query<{ object: string }>(objectsSql, values);
  return rows.map(({ object }) => object);
}

export type Marked = RollupTarget & {
  marks: readonly Mark[];
  /** Further marks are waiting: handed-on partitions wait with them, and are computed once. */
  isMoreWaiting?: boolean;
};

/** Computes the rollups for the partitions of marks, and for those that follow from them. */
export async function runMarked(
  tx: Tx,
  rollups: readonly Rollup[],
  { marks, isMoreWaiting = false, ...target }: Marked,
): Promise<Rebuilt & { days: number; objects: number }> {
  const marked = { days: new Map<Subject, Set<string>>(), objects: new Map<Subject, Set<string>>() };
  const add = (kind: keyof typeof marked, subject: Subject, partitions: readonly string[]) =>
    marked[kind].set(subject, new Set([...(marked[kind].get(subject) ?? []), ...partitions]));
  for (const { subject, day, object } of marks) {
    if (day) add('days', subject, [day]);
    if (object) add('objects', subject, [object]);
  }
  for (const rollup of rollups) await exchange(tx, rollup, target, marked.objects);
  const handedOnMax = isMoreWaiting ? 0 : HANDED_ON_MAX;
  const { rebuilt, days, objects } = await run(tx, rollups, target, {
    partitionsOf({ object, changesWith, exchanges }) {
      const found = marked[object ? 'objects' : 'days'];
      const followed = changesWith.filter((subject) => !exchanges?.subjects.includes(subject));
      return [...new Set(followed.flatMap((subject) => [...(found.get(subject) ?? [])]))].sort();
    },
    handOn(rollup, touched) {
      add(handsOnObjects(rollup) ? 'objects' : 'days', rollup.name, touched.slice(0, handedOnMax));
      return touched.slice(handedOnMax);
    },
  });
  for (const { day, object } of marks) {
    if (day) days.add(day);
    if (object) objects.add(object);
  }
  return { ...rebuilt, days: days.size, objects: objects.size };
}

/** Marks the objects that other marks reach: the next claim takes them. */
async function exchange(
  tx: Tx,
  { of, exchanges, reached }: Rollup,
  { brandId, retailerId, now }: RollupTarget,
  marked: ReadonlyMap<Subject, ReadonlySet<string>>,
): Promise<void> {
  if (exchanges === undefined || (of === 'brand') !== (retailerId === null)) return;
  for (const subject of exchanges.subjects) {
    const named = [...(marked.get(subject) ?? [])];
    if (named.length === 0) continue;
    await followIndexes(tx);
    await tx.query(
      `insert into ops.marks (brand_id, retailer_id, subject, object, marked_at)
       select distinct $1::uuid, $3::uuid, $4, o.connection_id || ' ' || o.object, $5::timestamptz
       from (${reached?.[subject]}) o`,
      [brandId, named, retailerId, exchanges.as, now],
    );
  }
}

/** Whether the brand follows: as long as this transaction lasts, nobody changes that. */
async function isWanted(tx: Tx, brandId: string, { toBrandIf }: Rollup): Promise<boolean> {
  if (toBrandIf === undefined) return true;
  await tx.query('select from app.brands where id = $1 for share', [brandId]);
  const { rows } = await tx.query<{ wanted: boolean }>(`select ${toBrandIf} as wanted`, [brandId]);
  return rows[0]?.wanted ?? false;
}

/** The objects of a statement: those of many days may be very many. */
const OBJECTS_AT_ONCE = 5_000;

function chunksOf(objects: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(objects.length / OBJECTS_AT_ONCE) }, (_, index) =>
    objects.slice(index * OBJECTS_AT_ONCE, (index + 1) * OBJECTS_AT_ONCE),
  );
}

type Plan = {
  partitionsOf(rollup: Rollup): string[] | Promise<string[]>;
  /** Returns the touched partitions that wait for another claim. */
  handOn(rollup: Rollup, touched: readonly string[]): string[];
};

type Ran = { rebuilt: Rebuilt; days: Set<string>; objects: Set<string> };

/** Each in a statement (and so a snapshot) of its own. Lookups follow indexes until the transaction ends. */
async function run(
  tx: Tx,
  rollups: readonly Rollup[],
  { brandId, retailerId, now }: RollupTarget,
  { partitionsOf, handOn }: Plan,
): Promise<Ran> {
  const ran: Ran = {
    rebuilt: { written: 0, deleted: 0, ofBrand: 0, counted: {}, wrong: 0 },
    days: new Set(),
    objects: new Set(),
  };
  const { rebuilt } = ran;
  const left: Mark[] = [];
  const ofBrand: Mark[] = [];
  const readByBrand = new Set(rollups.flatMap(({ of, changesWith }) => (of === 'brand' ? changesWith : [])));
  await followIndexes(tx);
  for (const rollup of rollups) {
    if ((rollup.of === 'brand') !== (retailerId === null)) continue;
    const partitions = await partitionsOf(rollup);
    if (partitions.length === 0) continue;
    const isForBrand =
      retailerId !== null && readByBrand.has(rollup.name) && (await isWanted(tx, brandId, rollup));
    const touched = new Set<string>();
    for (const some of rollup.object ? chunksOf(partitions) : [partitions]) {
      const { rows } = await tx.query<Answer>(rollup.sql, [brandId, some.map(() => retailerId), some, now]);
      const [answer] = rows;
      if (answer === undefined) throw new TypeError(`the merge of ${rollup.name} gave no row`);
      rebuilt.written += answer.written;
      rebuilt.deleted += answer.deleted;
      rebuilt.ofBrand += answer.named;
      rebuilt.wrong += answer.wrong;
      if (rollup.counts)
        rebuilt.counted[rollup.counts.as] = (rebuilt.counted[rollup.counts.as] ?? 0) + answer.counted;
      for (const one of answer.touched ?? []) touched.add(one);
    }
    for (const one of partitions) ran[rollup.object ? 'objects' : 'days'].add(one);
    const toMark = (one: string) => ({
      subject: rollup.name,
      [handsOnObjects(rollup) ? 'object' : 'day']: one,
    });
    for (const one of handOn(rollup, [...touched].sort())) left.push(toMark(one));
    if (isForBrand) for (const one of touched) ofBrand.push(toMark(one));
  }
  const mark = (owner: Owner, marks: readonly Mark[]) =>
    markPartitions(tx, { brandId, owners: [owner], timeZone: 'UTC', now }, { marks });
  await mark(retailerId, left);
  rebuilt.ofBrand += await mark(null, ofBrand);
  return ran;
}
