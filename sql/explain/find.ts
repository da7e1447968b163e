/** Which figures can be explained, and what a figure waits for. */
import type { Reader } from '../db/reader.ts';
import { givenRollups, rollups } from '../rollups/index.ts';
import type { Rollup } from '../rollups/rollup.ts';
import { views } from './views.ts';

/** By name, also those that are no sums and say so. */
export const figures: ReadonlyMap<string, Rollup> = new Map(
  [...rollups, ...givenRollups, ...views].map((figure) => [figure.name, figure]),
);

/** The subjects of marks that may change the figure, through the tables that it reads too. */
function subjectsOf({ changesWith, reads, explains }: Rollup): string[] {
  const further = [
    ...rollups.filter(({ writes }) => reads.includes(writes)),
    ...(typeof explains === 'object'
      ? explains.parts.flatMap(({ next }) => figures.get(next?.explain ?? '') ?? [])
      : []),
  ];
  return [...new Set([...changesWith, ...further.flatMap(subjectsOf)])].sort();
}

export type Waiting = { subject: string; marks: number; since: Date };

/** Marks whose rollup may change figures of the day. */
export async function waitingMarks(
  db: Reader,
  figure: Rollup,
  { brandId, retailerId, day }: { brandId: string; retailerId: string | null; day: string | null },
): Promise<Waiting[]> {
  const { rows } = await db.query<Waiting>(
    `select subject, count(*)::int as marks, min(marked_at) as since from ops.marks
     where brand_id = $1 and subject = any ($2) and (retailer_id is null or $3::uuid is null or retailer_id = $3)
       and (day is null or $4::date is null or day = $4)
     group by subject order by subject`,
    [brandId, subjectsOf(figure), retailerId, figure.periods ? null : day],
  );
  return rows;
}

/** Up to which instant figures of states are carried, or now. */
export async function carriedTo(db: Reader, brandId: string, retailerId: string | null): Promise<Date> {
  const { rows } = await db.query<{ at: Date }>(
    `select coalesce((
       select carried_to from ops.days_carried where brand_id = $1 and retailer_id is not distinct from $2), now()) as at`,
    [brandId, retailerId],
  );
  return rows[0]?.at ?? new Date();
}

/** The first days of the periods with that day, by kind; none for figures of days. */
export async function periodsWith(
  db: Reader,
  { periods }: Rollup,
  day: string | undefined,
): Promise<Map<string, string>> {
  if (periods === undefined || day === undefined) return new Map();
  const { rows } = await db.query<{ kind: string; first: string }>(
    'select kind, date_trunc(kind, $1::date::timestamp)::date as first from unnest($2::text[]) as k (kind)',
    [day, [...periods.kinds]],
  );
  return new Map(rows.map(({ kind, first }) => [kind, first]));
}
