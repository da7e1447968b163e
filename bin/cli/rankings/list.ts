/** `rankings list` */
import type { Command } from 'commander';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { day } from '../ui/arguments.ts';

const KINDS = ['day', 'week', 'month'] as const;
type Options = { brand: string; period: (typeof KINDS)[number]; start?: string };

const COLUMNS = [
  ...['rank', 'retailer', 'grade', 'score', 'net_sales', 'growth', 'roi', 'open_rate', 'click_rate'],
  ...['conversion_rate', 'engagement_rate', 'assets', 'reasons'],
];

// Without a day: the last period that is over, else the one under way.
const PERIOD = `
  select period_start from bi.retailer_rankings
  where brand_id = $1 and period = $2
    and ($3::date is null or period_start = (date_trunc($2, $3::date::timestamp))::date)
  order by is_complete desc, period_start desc limit 1`;

export function addList(command: Command, cli: Cli): void {
  const verb = command
    .command('list')
    .description('list the retailers of a brand by rank, with what each rank is made of and why')
    .requiredOption('--brand <brand>', 'brand whose retailers are ranked')
    .option('--start <day>', 'any day of the period (default: the last period that is over)', day);
  verb.addOption(
    verb.createOption('--period <period>', 'length of a period').choices(KINDS).default('month'),
  );
  verb.action(async ({ brand, period, start }: Options) => {
    await using session = await openSession(cli);
    const { id } = await findBrand(session.db, brand);
    const { rows } = await session.db.query<Record<string, unknown>>(
      `select brand, retailer, period, period_start::text, period_end::text, is_complete, rank, grade, score, net_sales,
              previous_net_sales, growth, attributed_orders, attributed_revenue, spend, roi_percentage as roi, open_rate,
              click_rate, conversion_rate, engagement_rate,
              nullif(asset_actions, 0) as assets, components, needs_attention, is_top_performer, reasons,
              reporting_currency as currency, fx_cause
       from bi.retailer_rankings
       where brand_id = $1 and period = $2 and period_start = (${PERIOD})
       order by rank nulls last, retailer`,
      [id, period, start ?? null],
    );
    const [first] = rows;
    if (first === undefined)
      cli.out.say(
        `No ${period} of ${brand}${start ? ` with ${start}` : ''} has a rank. Ranks come with the sales: npx nightshift why rankings --brand ${brand} --day DAY`,
      );
    else {
      const state = first.is_complete ? '' : ', under way: compared with as many days of the one before';
      cli.out.say(
        `${brand}, ${period} ${first.period_start} to ${first.period_end}, ${first.currency}${state}`,
      );
    }
    cli.out.list(
      rows.map((row) => (cli.out.json ? row : { ...row, reasons: (row.reasons as string[]).join('; ') })),
      COLUMNS.filter((column) => column === 'reasons' || rows.some((row) => row[column] !== null)),
    );
  });
}
