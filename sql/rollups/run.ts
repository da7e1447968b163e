/** Runs rollups for partitions of a retailer, or of the brand: for all given days, or each for the marks it follows. */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { type Mark, markPartitions, type Owner } from '../dirty/marks.ts';
import type { Subject } from '../dirty/subject.ts';
import { addCaused, type Cause, type Caused, REBUILT } from './causes.ts';
import { handsOnObjects } from './merge.ts';
import type { Rollup } from './rollup.ts';

export type RollupTarget = {
  brandId: string;
  retailerId: Owner;
  now: Date;
  job?: string | undefined;
  /** How many changed cells of final days are logged one by one; a statement with more of them is summed up. */
  loggedMax?: number | undefined;
};

/** Bounds what a change of everything writes, such as that of a time zone. */
export const LOGGED_MAX = 10_000;

export type Rebuilt = {
  written: number;
  deleted: number;
  /** Marks of the brand itself, whose rollups read what those of a retailer have changed. */
  ofBrand: number;
  /** By `counts` of the rollups. */
  counted: Record<string, number>;
  /** Sums that differ from those that they must equal. */
  wrong: number;
  /** Cells of final days that have changed. */
  restated: number;
};

/**
 * The limit of changed partitions that go to the readers of a rollup at once; marks keep the others for the next claim.
 */
const HANDED_ON_MAX = 60;

type Answer = {
  written: number;
  deleted: number;
  touched: string[] | null;
  causes: (Cause | null)[] | null;
  named: number;
  wrong: number;
  restated: number;
  counted: number;
};

/** A partition, and why it must be computed again. */
type Reached = [partition: string, cause: Cause | null];

/** Computes all rollups for these days, with the marks of them, if any. */
export async function runRollups(
  tx: Tx,
  rollups: readonly Rollup[],
  { days, marks = [], ...target }: RollupTarget & { days: readonly string[]; marks?: readonly Mark[] },
): Promise<Rebuilt & { objects: number }> {
  const all: Caused = new Map(days.map((day) => [day, REBUILT]));
  for (const { day } of marks) if (day) all.set(day, null);
  for (const { day, cause } of marks) if (day) addCaused(all, day, cause);
  const handed = new Map<Subject, readonly Reached[]>();
  const { rebuilt, objects } = await run(tx, rollups, target, {
    async partitionsOf(rollup) {
      if (rollup.object) return objectsOfRange(tx, rollup, target, { days, marks });
      const found: Caused = new Map(all);
      for (const subject of rollup.changesWith)
        for (const [day, cause] of handed.get(subject) ?? []) {
          if (found.get(day) === REBUILT) found.set(day, null);
          addCaused(found, day, cause);
        }
      return found;
    },
    handOn(rollup, touched) {
      if (handsOnObjects(rollup)) return [...touched];
      const [known, others] = [
        touched.filter(([day]) => all.has(day)),
        touched.filter(([day]) => !all.has(day)),
      ];
      handed.set(rollup.name, [...known, ...others.slice(0, HANDED_ON_MAX)]);
      return others.slice(HANDED_ON_MAX);
    },
  });
  return { ...rebuilt, objects: objects.size };
}

/** Those of the days, those that marks of the days reach, and what is known of them. */
async function objectsOfRange(
  tx: Tx,
  { objectsSql, daysSql, followsDays = [], changesWith }: Rollup,
  target: RollupTarget,
  { days, marks }: { days: readonly string[]; marks: readonly Mark[] },
): Promise<Caused> {
  const named = await objectsOf(tx, objectsSql, target, days);
  const objects: Caused = new Map(named.map((one) => [one, REBUILT]));
  const { rows } = await tx.query<{ object: string; cause: Cause | null }>(
    `select distinct object, cause from ops.marks
     where brand_id = $1 and retailer_id is not distinct from $2 and subject = any ($3) and object = any ($4)`,
    [target.brandId, target.retailerId, changesWith, named],
  );
  for (const { object } of rows) objects.set(object, null);
  for (const { object, cause } of rows) addCaused(objects, object, cause);
  const followed = marks.filter(({ subject }) => followsDays.includes(subject));
  for (const [cause, some] of Map.groupBy(followed, ({ cause = null }) => cause)) {
    const reached = some.flatMap(({ day }) => day ?? []);
    for (const one of await objectsOf(tx, daysSql, target, reached)) addCaused(objects, one, cause);
  }
  return objects;
}

/** The objects that a statement selects for days. */
async function objectsOf(
  tx: Tx,
  statement: string | undefined,
  { brandId, retailerId }: RollupTarget,
  days: readonly string[],
): Promise<string[]> {
  if (statement === undefined || days.length === 0) return [];
  const values = [brandId, days.map(() => retailerId), days];
  const { rows } = await tx.query<{ object: string }>(statement, values);
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
  const marked = { days: new Map<Subject, Caused>(), objects: new Map<Subject, Caused>() };
  const add = (kind: keyof typeof marked, subject: Subject, [partition, cause]: Reached) => {
    const known = marked[kind].get(subject) ?? new Map();
    addCaused(known, partition, cause);
    marked[kind].set(subject, known);
  };
  for (const { subject, day, object, cause = null } of marks) {
    if (day) add('days', subject, [day, cause]);
    if (object) add('objects', subject, [object, cause]);
  }
  for (const rollup of rollups) await exchange(tx, rollup, target, marked.objects);
  const handedOnMax = isMoreWaiting ? 0 : HANDED_ON_MAX;
  const { rebuilt, days, objects } = await run(tx, rollups, target, {
    async partitionsOf({ object, changesWith, exchanges, followsDays = [], daysSql }) {
      const followed = changesWith.filter((subject) => !exchanges?.subjects.includes(subject));
      const found = (kind: keyof typeof marked, subjects: readonly Subject[]) => {
        const all: Caused = new Map();
        for (const subject of subjects)
          for (const [partition, cause] of marked[kind].get(subject) ?? []) addCaused(all, partition, cause);
        return all;
      };
      const all = found(object ? 'objects' : 'days', followed);
      for (const [cause, days] of Map.groupBy(found('days', followsDays), ([, of]) => of)) {
        const reached = await objectsOf(
          tx,
          daysSql,
          target,
          days.map(([day]) => day),
        );
        for (const one of reached) addCaused(all, one, cause);
      }
      return new Map([...all].sort(([one], [other]) => (one < other ? -1 : 1)));
    },
    handOn(rollup, touched) {
      const kind = handsOnObjects(rollup) ? 'objects' : 'days';
      for (const one of touched.slice(0, handedOnMax)) add(kind, rollup.name, one);
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
  marked: ReadonlyMap<Subject, Caused>,
): Promise<void> {
  if (exchanges === undefined || (of === 'brand') !== (retailerId === null)) return;
  for (const subject of exchanges.subjects) {
    const byCause = Map.groupBy(marked.get(subject) ?? [], ([, cause]) => cause);
    for (const [cause, named] of byCause) {
      await followIndexes(tx);
      await tx.query(
        `insert into ops.marks (brand_id, retailer_id, subject, object, cause, marked_at)
         select distinct $1::uuid, $3::uuid, $4, o.connection_id || ' ' || o.object, $6, $5::timestamptz
         from (${reached?.[subject]}) o`,
        [brandId, named.map(([object]) => object), retailerId, exchanges.as, now, cause],
      );
    }
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

function chunksOf(objects: Caused): Caused[] {
  const all = [...objects];
  return Array.from(
    { length: Math.ceil(all.length / OBJECTS_AT_ONCE) },
    (_, index) => new Map(all.slice(index * OBJECTS_AT_ONCE, (index + 1) * OBJECTS_AT_ONCE)),
  );
}

type Plan = {
  partitionsOf(rollup: Rollup): Caused | Promise<Caused>;
  /** Returns the touched partitions that wait for another claim. */
  handOn(rollup: Rollup, touched: readonly Reached[]): Reached[];
};

type Ran = { rebuilt: Rebuilt; days: Set<string>; objects: Set<string> };

/** Each in a statement (and so a snapshot) of its own. Lookups follow indexes until the transaction ends. */
async function run(
  tx: Tx,
  rollups: readonly Rollup[],
  target: RollupTarget,
  { partitionsOf, handOn }: Plan,
): Promise<Ran> {
  const ran: Ran = {
    rebuilt: { written: 0, deleted: 0, ofBrand: 0, counted: {}, wrong: 0, restated: 0 },
    days: new Set(),
    objects: new Set(),
  };
  const { brandId, retailerId, now } = target;
  const left: Mark[] = [];
  const ofBrand: Mark[] = [];
  const readByBrand = new Set(rollups.flatMap(({ of, changesWith }) => (of === 'brand' ? changesWith : [])));
  await followIndexes(tx);
  for (const rollup of rollups) {
    if ((rollup.of === 'brand') !== (retailerId === null)) continue;
    const partitions = await partitionsOf(rollup);
    if (partitions.size === 0) continue;
    const isForBrand =
      retailerId !== null && readByBrand.has(rollup.name) && (await isWanted(tx, brandId, rollup));
    const touched: Caused = new Map();
    for (const some of rollup.object ? chunksOf(partitions) : [partitions])
      await merge(tx, rollup, target, { some, rebuilt: ran.rebuilt, touched });
    for (const one of partitions.keys()) ran[rollup.object ? 'objects' : 'days'].add(one);
    const toMark = ([one, cause]: Reached) => ({
      ...{ subject: rollup.name, cause },
      [handsOnObjects(rollup) ? 'object' : 'day']: one,
    });
    const inOrder = [...touched].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const one of handOn(rollup, inOrder)) left.push(toMark(one));
    if (isForBrand) for (const one of touched) ofBrand.push(toMark(one));
  }
  const mark = (owner: Owner, marks: readonly Mark[]) =>
    markPartitions(tx, { brandId, owners: [owner], timeZone: 'UTC', now }, { marks });
  await mark(retailerId, left);
  ran.rebuilt.ofBrand += await mark(null, ofBrand);
  return ran;
}

type Merging = { some: Caused; rebuilt: Rebuilt; touched: Caused };

/** One statement; adds what it did. */
async function merge(
  tx: Tx,
  { name, sql, counts }: Rollup,
  { brandId, retailerId, now, job, loggedMax = LOGGED_MAX }: RollupTarget,
  { some, rebuilt, touched }: Merging,
): Promise<void> {
  const partitions = [...some.keys()];
  const owners = partitions.map(() => retailerId);
  const logged = Math.max(loggedMax - rebuilt.restated, 0);
  const values = [brandId, owners, partitions, now, [...some.values()], job ?? null, logged];
  const { rows } = await tx.query<Answer>(sql, values);
  const [answer] = rows;
  if (answer === undefined) throw new TypeError(`the merge of ${name} gave no row`);
  rebuilt.written += answer.written;
  rebuilt.deleted += answer.deleted;
  rebuilt.ofBrand += answer.named;
  rebuilt.wrong += answer.wrong;
  rebuilt.restated += answer.restated;
  if (counts) rebuilt.counted[counts.as] = (rebuilt.counted[counts.as] ?? 0) + answer.counted;
  for (const [index, one] of (answer.touched ?? []).entries())
    addCaused(touched, one, answer.causes?.[index]);
}
