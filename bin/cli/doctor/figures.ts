/** Whether figures add up to what they must equal, and what was frozen of closed months is there. */
import { countedSince, type DoubtfulClosing, doubtfulClosings } from '#sql/periods/counted.ts';
import { type Lost, lostFigures, lostText, mendLost } from '#sql/periods/lost.ts';
import { monthOf } from '#sql/periods/refusals.ts';
import { count } from '../ui/format.ts';
import { type Check, type Finding, failure, NAMED_MAX, named, ok, warning } from './check.ts';

type Row = { brand: string; rollup: string; days: number; first: string; last: string };

/** A rollup stores both sums of each day that it computes. */
export const sums: Check = {
  name: 'sums of figures',
  async run({ db }) {
    const { rows } = await db.query<Row>(
      `select b.slug as brand, k.rollup, count(distinct k.day)::int as days, min(k.day)::text as first, max(k.day)::text as last
       from ops.figure_checks k join app.brands b on b.id = k.brand_id
       where not k.ok group by b.slug, k.rollup order by b.slug, k.rollup limit ${NAMED_MAX}`,
    );
    return rows.map(({ brand, rollup, days, first, last }) =>
      failure(
        `${rollup} of ${brand} does not add up on ${count(days, 'day')} from ${first} to ${last}.`,
        `npx nightshift rollup run --brand ${brand} --from ${first} --to ${last} --wait; if it stays, report it as a fault`,
      ),
    );
  },
};

const LOST_MAX = 1_000;

/** By what the nights found: frozen rows are kept for good, and too many to count all here. What was lost may be back since. */
export const closed: Check = {
  name: 'closed periods',
  async run({ db }) {
    const { months, since } = await countedSince(db);
    if (since === null) return ok('no month is closed');
    const doubtful = await doubtfulClosings(db, NAMED_MAX);
    const lost: Lost[] = [];
    for (const { brandId, closingId, lost: found } of doubtful)
      if (found > 0) lost.push(...(await lostFigures(db, { brandId, closingId, max: LOST_MAX })));
    const uncounted = doubtful.filter(({ lost: found }) => found === 0);
    const findings = [
      ...named(lost, lost.length, (one) =>
        failure(`${lostText(one)}: nothing is booked of these`, mendLost(one)),
      ),
      ...named(uncounted, (doubtful[0]?.total ?? 0) - doubtful.length + uncounted.length, uncountedOf),
    ];
    return findings.length > 0
      ? findings
      : ok(`${count(months, 'closed month')}, all counted since ${since.toISOString()}`);
  },
};

function uncountedOf({ brand, period, countedAt }: DoubtfulClosing): Finding {
  return warning(
    `The frozen rows of ${monthOf(period)} of ${brand} were last counted at ${countedAt.toISOString()}: its nights do.`,
    `npx nightshift nights list --brand ${brand}`,
  );
}
