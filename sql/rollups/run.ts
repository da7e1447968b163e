/**
 * Runs rollups over days of one retailer, or of the brand itself: over all that are given, or each over those
 * whose marks it follows.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { type Mark, markDays, type Owner, type Subject } from '../dirty/marks.ts';
import type { Rollup } from './rollup.ts';

export type RollupTarget = { brandId: string; retailerId: Owner; now: Date };

export type Rebuilt = {
  written: number;
  deleted: number;
  /** By `counts` of the rollups. */
  counted: Record<string, number>;
};

/** So many days of what a rollup changed go to its readers at once; marks keep the others for the next claim. */
const HANDED_ON_MAX = 60;

type Answer = { written: number; deleted: number; touched: string[] | null; counted: number };

/** Computes whatever the rollups keep of these days. */
export async function runRollups(
  tx: Tx,
  rollups: readonly Rollup[],
  { days, ...target }: RollupTarget & { days: readonly string[] },
): Promise<Rebuilt> {
  const all = new Set(days);
  const { rebuilt } = await run(tx, rollups, target, {
    daysOf: () => [...days],
    handOn: (_, touched) => touched.filter((day) => !all.has(day)),
  });
  return rebuilt;
}

/** Computes what the rollups keep of the days of marks, and what follows from that. */
export async function runMarked(
  tx: Tx,
  rollups: readonly Rollup[],
  { marks, ...target }: RollupTarget & { marks: readonly Mark[] },
): Promise<Rebuilt & { days: number }> {
  const marked = new Map<Subject, Set<string>>();
  const add = (subject: Subject, days: readonly string[]) =>
    marked.set(subject, new Set([...(marked.get(subject) ?? []), ...days]));
  for (const { subject, day } of marks) add(subject, [day]);
  const { rebuilt, days } = await run(tx, rollups, target, {
    daysOf: ({ changesWith }) =>
      [...new Set(changesWith.flatMap((subject) => [...(marked.get(subject) ?? [])]))].sort(),
    handOn: ({ name }, touched) => {
      add(name, touched.slice(0, HANDED_ON_MAX));
      return touched.slice(HANDED_ON_MAX);
    },
  });
  return { ...rebuilt, days: new Set([...marks.map(({ day }) => day), ...days]).size };
}

type Plan = {
  daysOf(rollup: Rollup): string[];
  /** Gives the touched days that wait for another claim. */
  handOn(rollup: Rollup, touched: readonly string[]): string[];
};

/** Each in a statement (and so a snapshot) of its own. Lookups follow indexes until the transaction ends. */
async function run(
  tx: Tx,
  rollups: readonly Rollup[],
  { brandId, retailerId, now }: RollupTarget,
  { daysOf, handOn }: Plan,
): Promise<{ rebuilt: Rebuilt; days: Set<string> }> {
  const rebuilt: Rebuilt = { written: 0, deleted: 0, counted: {} };
  const run = new Set<string>();
  const left: Mark[] = [];
  await followIndexes(tx);
  for (const rollup of rollups) {
    if ((rollup.of === 'brand') !== (retailerId === null)) continue;
    const days = daysOf(rollup);
    if (days.length === 0) continue;
    const { rows } = await tx.query<Answer>(rollup.sql, [brandId, days.map(() => retailerId), days, now]);
    const { written = 0, deleted = 0, touched, counted = 0 } = rows[0] ?? {};
    rebuilt.written += written;
    rebuilt.deleted += deleted;
    if (rollup.counts) rebuilt.counted[rollup.counts.as] = counted;
    for (const day of days) run.add(day);
    for (const day of handOn(rollup, touched ?? [])) left.push({ subject: rollup.name, day });
  }
  await markDays(tx, { brandId, owners: [retailerId], timeZone: 'UTC', now }, { days: left });
  return { rebuilt, days: run };
}
