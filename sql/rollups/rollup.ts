/**
 * A rollup brings one `agg` table up to date for exactly the (retailer, day) pairs it is given. It says what
 * the rows of these days are: `<name>.sql` selects them for the rows of `wanted`, which are the pairs with the
 * bounds of their days ($1 is the brand, $4 the instant of the run). merge.ts makes the rest of the statement.
 */
import { readFileSync } from 'node:fs';
import { coded } from '#runtime/errors.ts';
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import { mergeStatement } from './merge.ts';

export type Rollup = {
  /** Also the name of its `.sql`. */
  name: string;
  /** What the statement reads beside `app` and its own table; a test holds it against the text. */
  reads: readonly `${'fact' | 'raw' | 'agg'}.${string}`[];
  writes: `agg.${string}`;
  /** The primary key of the table that it writes. */
  grain: readonly string[];
  /** Its other columns, except the instant at which a row was written: what makes a row another one. */
  measures: readonly string[];
  /** The column that assigns a row to a day: a day itself, or an instant of it. 'day' if not said. */
  partition: string;
  /** Names of the rollups that must have run before it: those whose tables it reads. */
  after: readonly string[];
  /**
   * It marks further days in `ops.dirty_days`, of other rows that follow from what it wrote: those that
   * `<name>.marks.sql` selects out of `stored`, the rows as they were, and `fresh`.
   */
  marksDays?: boolean;
  /** The text of `<name>.sql`. */
  fresh: string;
  /** The text of `<name>.marks.sql`. */
  marks: string | undefined;
  /** The whole statement. */
  sql: string;
};

type Descriptor = Omit<Rollup, 'fresh' | 'marks' | 'sql' | 'partition'> & { partition?: string };

export type RollupTarget = {
  brandId: string;
  retailerId: string;
  days: readonly string[];
  now: Date;
};

export class RollupOrderImpossible extends coded('NS_ROLLUP_ORDER') {
  constructor(names: readonly string[]) {
    super(`These rollups wait for one another or for one that does not exist: ${names.join(', ')}.`, {
      hint: 'Correct `after` in their descriptors in sql/rollups/.',
      context: { names },
    });
  }
}

/** Reads the queries beside the descriptor at import: a missing file is no start, not a failed job. */
export function defineRollup(descriptorUrl: string, descriptor: Descriptor): Rollup {
  const { name, partition = 'day', marksDays } = descriptor;
  const read = (file: string) => readFileSync(new URL(`./${file}`, descriptorUrl), 'utf8').trimEnd();
  const fresh = read(`${name}.sql`);
  const marks = marksDays ? read(`${name}.marks.sql`) : undefined;
  const rollup = { ...descriptor, partition, fresh, marks };
  return { ...rollup, sql: mergeStatement(rollup) };
}

/** Every rollup after those it depends on, otherwise in the order given. */
export function inOrder(rollups: readonly Rollup[]): Rollup[] {
  const ordered: Rollup[] = [];
  const waiting = [...rollups];
  while (waiting.length > 0) {
    const ready = waiting.findIndex(({ after }) =>
      after.every((name) => ordered.some((done) => done.name === name)),
    );
    if (ready < 0) throw new RollupOrderImpossible(waiting.map(({ name }) => name));
    ordered.push(...waiting.splice(ready, 1));
  }
  return ordered;
}

export type Rebuilt = { written: number; deleted: number };

/**
 * Runs rollups, each in a statement (and so a snapshot) of its own, over days of one retailer. Lookups follow
 * indexes from then on, until the transaction ends.
 */
export async function runRollups(
  tx: Tx,
  rollups: readonly Rollup[],
  { brandId, retailerId, days, now }: RollupTarget,
): Promise<Rebuilt> {
  const total = { written: 0, deleted: 0 };
  await followIndexes(tx);
  for (const { sql } of rollups) {
    const { rows } = await tx.query<Rebuilt>(sql, [brandId, days.map(() => retailerId), days, now]);
    total.written += rows[0]?.written ?? 0;
    total.deleted += rows[0]?.deleted ?? 0;
  }
  return total;
}
