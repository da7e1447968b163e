/**
 * Figures as a snapshot has them, set aside in a schema, beside those that are computed from its rows: in a database of its own.
 * Amounts are equal by value, and when a row was written does not count.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Rollup } from '../rollups/rollup.ts';
import { type MoneyDifference, moneyOf } from './differences.ts';
import type { SnapshotTable } from './tables.ts';

export type Cell = {
  table: string;
  key: Record<string, string>;
  /** Null where the row is only on one side. */
  column: string | null;
  stored: string | null;
  recomputed: string | null;
};

export type FiguresDiffer = {
  table: string;
  onlyStored: number;
  onlyRecomputed: number;
  changed: number;
  /** The first of them, by key. */
  cells: Cell[];
  money: MoneyDifference[];
};

const CELLS_MAX = 20;
const ASIDE = 'figures_as_stored';

type Computed = Pick<Rollup, 'writes' | 'grain' | 'measures' | 'keptFrom'>;

function asideOf({ writes }: Computed): string {
  return `${ASIDE}.${writes.replace('.', '_')}`;
}

/**
 * Sets the figures aside, and empties their tables. What is kept although its facts are gone stays: nobody could compute it. In
 * the copy nobody was told of any figure, so none is restated.
 */
export async function setAside(tx: Tx, rollups: readonly Computed[], brandId: string): Promise<void> {
  await tx.query(`create schema ${ASIDE}`);
  for (const rollup of rollups) {
    const { writes, keptFrom } = rollup;
    await tx.query(`create unlogged table ${asideOf(rollup)} as select * from ${writes}`);
    await tx.query(
      `delete from ${writes} a using app.brands b where b.id = $1 and a.brand_id = b.id
       ${keptFrom === undefined ? '' : `and (b.${keptFrom} is null or a.day >= fact.first_day_from(b.${keptFrom}, b.time_zone))`}`,
      [brandId],
    );
  }
  for (const table of ['ops.final_days', 'ops.period_closings'])
    await tx.query(`delete from ${table} where brand_id = $1`, [brandId]);
}

/** All days from the first to the last that anything is of, a mark or a figure that was set aside, in ranges of at most so many. */
export async function rangesKnown(
  db: Reader,
  rollups: readonly Computed[],
  { brandId, daysMax }: { brandId: string; daysMax: number },
): Promise<{ from: string; to: string }[]> {
  const dated = rollups.filter(({ grain }) => grain.includes('day'));
  const days = dated.map((rollup) => `select min(day), max(day) from ${asideOf(rollup)}`);
  const { rows } = await db.query<{ from: string; to: string }>(
    `select n::date as from, least(n::date + $2::int - 1, k.last) as to
     from (select greatest(min(first), max(last) - ${DAYS_MAX}) as first, max(last) as last
           from (select min(day) as first, max(day) as last from ops.marks where brand_id = $1
                 union all ${days.join(' union all ')}) d) k
     cross join lateral generate_series(k.first::timestamp, k.last, make_interval(days => $2)) as n
     order by 1`,
    [brandId, daysMax],
  );
  return rows;
}

/** A century. */
const DAYS_MAX = 36_525;

/** Undefined if all rows are equal. */
export async function figuresDiffer(
  tx: Tx,
  rollup: Computed,
  table: SnapshotTable,
): Promise<FiguresDiffer | undefined> {
  const key = rollup.grain.filter((column) => column !== 'brand_id');
  const { writes, measures } = rollup;
  const differing = `${asideOf(rollup)}_differing`;
  const columns = [...rollup.grain, ...measures].join(', ');
  await tx.query(
    `create unlogged table ${differing} as
     select ${[...key, ...measures.map((name) => `s.${name} as s_${name}, r.${name} as r_${name}`)].join(', ')},
            s.is_there as is_stored, r.is_there as is_recomputed
     from (select true as is_there, * from ${asideOf(rollup)}) s
     full join (select true as is_there, * from ${writes}) r using (brand_id, ${key.join(', ')})
     where s.is_there is null or r.is_there is null or (${all('s', measures)}) is distinct from (${all('r', measures)})`,
  );
  const { rows } = await tx.query<Omit<FiguresDiffer, 'table' | 'cells' | 'money'>>(
    `select count(*) filter (where is_recomputed is null) as "onlyStored",
            count(*) filter (where is_stored is null) as "onlyRecomputed",
            count(*) filter (where is_stored and is_recomputed) as changed
     from ${differing}`,
  );
  const [counts] = rows;
  if (counts === undefined || counts.onlyStored + counts.onlyRecomputed + counts.changed === 0)
    return undefined;
  const { rows: cells } = await tx.query<Cell>(cellsOf(differing, { writes, key, measures }), [CELLS_MAX]);
  const money = await moneyOf(tx, {
    ...{ table, scratch: { schema: ASIDE, isKept: true }, one: '', other: '' },
    all: `select 'one' as side, ${columns} from ${asideOf(rollup)} union all select 'other', ${columns} from ${writes}`,
  });
  return { table: writes, ...counts, cells, money };
}

function all(row: string, columns: readonly string[]): string {
  return columns.map((name) => `${row}.${name}`).join(', ');
}

type Cells = { writes: string; key: readonly string[]; measures: readonly string[] };

function cellsOf(differing: string, { writes, key, measures }: Cells): string {
  const named = key.map((name) => `'${name}', d.${name}::text`).join(', ');
  const cells = measures.map((name) => `('${name}', d.s_${name}::text, d.r_${name}::text)`).join(', ');
  return `
    select '${writes}' as table, jsonb_build_object(${named}) as key, c.name as column, c.stored, c.recomputed
    from ${differing} d
    cross join lateral (
      select name, stored, recomputed
      from (values ${cells}) as v (name, stored, recomputed)
      where d.is_stored and d.is_recomputed and stored is distinct from recomputed
      union all
      select null, case when d.is_stored then 'a row' end, case when d.is_recomputed then 'a row' end
      where d.is_stored is null or d.is_recomputed is null
    ) c
    order by ${key.map((name) => `d.${name}`).join(', ')}, c.name limit $1`;
}
