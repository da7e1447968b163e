/** Figures of views that sum up tables of figures: explained like those of rollups, by the rows that they sum up. */
import { same } from './explanation.ts';
import type { Explained } from './statement.ts';

type View = Omit<Explained, 'writes'> & { writes: `bi.${string}` };

const view = (declared: Pick<View, 'name' | 'of' | 'grain' | 'measures' | 'fresh' | 'explains'>): Explained =>
  ({
    ...declared,
    reads: [],
    writes: `bi.${declared.name}`,
    changesWith: [],
    sql: '',
  }) as unknown as Explained;

const IN_ALL = ['spend', 'attributed_orders', 'attributed_revenue', 'credited_orders', 'credited_revenue'];
const AMOUNTS = ['spend', 'attributed_revenue', 'credited_revenue'];
const ofAmounts = (sql: (column: string) => string) =>
  Object.fromEntries(AMOUNTS.map((column) => [column, sql(column)]));

export const views: readonly Explained[] = [
  view({
    name: 'campaign_performance',
    of: 'brand',
    grain: ['brand_id', 'campaign_id'],
    measures: IN_ALL,
    fresh: `with months as (
  select m.* from agg.campaign_months m
  join app.campaigns c on c.brand_id = $1 and c.id = m.campaign_id
  where m.brand_id = $1
)
`,
    explains: {
      parts: [
        {
          is: 'month',
          from: 'months',
          id: 'day',
          connection: 'null',
          next: { explain: 'campaign_months', key: same('day', 'campaign_id') },
          adds: same(...IN_ALL),
          unknown: ofAmounts((column) => `${column} is null`),
        },
      ],
      settles: ofAmounts(() => 'fact.round_to_currency(total, c.reporting_currency)'),
    },
  }),
];
