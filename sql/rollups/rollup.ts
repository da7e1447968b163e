/**
 * A rollup is one statement that rebuilds one `agg` table for exactly the (retailer, day) pairs it is
 * given: it deletes what is gone and writes what differs, so that a second run changes nothing. Its
 * parameters are always $1 brand, $2 uuid[] retailers, $3 date[] days, $4 the instant of the run.
 */
import { readFileSync } from 'node:fs';
import { NightshiftError } from '#runtime/errors.ts';
import type { Tx } from '../pool.ts';

export type Rollup = {
  /** Also the name of its `.sql`. */
  name: string;
  /** What the statement reads beside `app` and its own table; a test holds it against the text. */
  reads: readonly `${'fact' | 'raw' | 'agg'}.${string}`[];
  writes: `agg.${string}`;
  /** The primary key of the table that it writes. */
  grain: readonly string[];
  /** Names of the rollups that must have run before it: those whose tables it reads. */
  after: readonly string[];
  /** It marks further days in `ops.dirty_days`: those of other rows that follow from what it wrote. */
  marksDays?: boolean;
  sql: string;
};

export type RollupTarget = {
  brandId: string;
  retailerId: string;
  days: readonly string[];
  now: Date;
};

export class RollupOrderImpossible extends NightshiftError {
  readonly code = 'NS_ROLLUP_ORDER';

  constructor(names: readonly string[]) {
    super(`These rollups wait for one another or for one that does not exist: ${names.join(', ')}.`, {
      hint: 'Correct `after` in their descriptors in sql/rollups/.',
      verdict: 'give_up',
      context: { names },
    });
  }
}

/** Reads the statement beside the descriptor at import: a missing file is no start, not a failed job. */
export function defineRollup(descriptorUrl: string, rollup: Omit<Rollup, 'sql'>): Rollup {
  return { ...rollup, sql: readFileSync(new URL(`./${rollup.name}.sql`, descriptorUrl), 'utf8') };
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

/** Runs rollups, each in a statement (and so a snapshot) of its own, over days of one retailer. */
export async function runRollups(
  tx: Tx,
  rollups: readonly Rollup[],
  { brandId, retailerId, days, now }: RollupTarget,
): Promise<Rebuilt> {
  const total = { written: 0, deleted: 0 };
  for (const { sql } of rollups) {
    const { rows } = await tx.query<Rebuilt>(sql, [brandId, days.map(() => retailerId), days, now]);
    total.written += rows[0]?.written ?? 0;
    total.deleted += rows[0]?.deleted ?? 0;
  }
  return total;
}
