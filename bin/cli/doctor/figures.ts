/** Whether figures add up to what they must equal, and what was frozen of closed months is there. */
import { lostFigures, lostText, mendLost } from '#sql/periods/lost.ts';
import { count } from '../ui/format.ts';
import { type Check, failure, NAMED_MAX, named } from './check.ts';

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

export const closed: Check = {
  name: 'closed periods',
  async run({ db }) {
    const lost = await lostFigures(db, { max: LOST_MAX });
    return named(lost, lost.length, (one) =>
      failure(`${lostText(one)}: nothing is booked of these`, mendLost(one)),
    );
  },
};
