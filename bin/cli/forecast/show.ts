/** `forecast show` */
import type { Command } from 'commander';
import { findBrand } from '#sql/tenants/brands.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

type Options = { brand: string; retailer?: string };

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show how far the latest forecasts can be trusted, or the days of one retailer')
    .requiredOption('--brand <brand>', 'brand of the sales')
    .option('--retailer <retailer>', 'the days of this retailer')
    .action((options: Options) => show(cli, options));
}

const QUALITY = [
  ...['retailer', 'currency', 'made_on', 'state', 'cause', 'expected', 'error', 'naive_error', 'coverage'],
  'error_of_last_30_days',
];
const DAYS = ['day', 'currency', 'predicted', 'lower', 'upper', 'made_on', 'method'];

async function show(cli: Cli, { brand, retailer }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const { id: brandId } = await findBrand(db, brand);
  const { id: retailerId } =
    retailer === undefined ? { id: null } : await findRetailer(db, brandId, retailer);
  const { rows: quality } = await db.query(
    `select q.retailer, q.currency, q.made_on, q.state, q.cause, f.expected, q.error, q.naive_error, q.coverage,
            q.error_of_last_30_days
     from bi.forecast_quality q
     cross join lateral (
       select sum(f.predicted) as expected from bi.revenue_forecast f
       where f.brand_id = q.brand_id and f.retailer_id = q.retailer_id and f.made_on = q.made_on
         and f.currency = q.currency) f
     where q.brand_id = $1 and q.retailer_id = coalesce($2::uuid, q.retailer_id) and q.is_latest
     order by q.retailer, q.currency`,
    [brandId, retailerId],
  );
  if (quality.length === 0)
    cli.out.say(`Nothing is forecast yet. Next: npx nightshift forecast run --brand ${brand} --wait`);
  if (retailerId === null) return cli.out.list(quality, QUALITY);
  const { rows: days } = await db.query(
    `select day, currency, predicted, lower, upper, made_on, method from bi.revenue_forecast
     where brand_id = $1 and retailer_id = $2 and is_latest order by currency, day`,
    [brandId, retailerId],
  );
  for (const { currency, cause } of quality.filter(({ state }) => state === 'silent'))
    cli.out.say(`There is no forecast in ${currency}: ${String(cause).replaceAll('_', ' ')}.`);
  cli.out.list(days, DAYS);
}
