/** `forecast run` */
import type { Command } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { type Brand, findBrand } from '#sql/tenants/brands.ts';
import { keepBrand, keepRetailer } from '#sql/tenants/removing.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { forecast } from '#tasks/forecast.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { day } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';

type Options = WaitOptions & { brand: string; retailer?: string; madeOn?: string; now?: string };

export function addRun(command: Command, cli: Cli): void {
  const verb = command
    .command('run')
    .description('forecast from all days before today, as each night does')
    .requiredOption('--brand <brand>', 'brand of the sales')
    .option('--retailer <retailer>', 'only this retailer')
    .option('--made-on <day>', 'forecast as of this day, from the days before it (default: today)', day);
  waitOptions(verb)
    .addOption(nowOption('the instant that says which day today is'))
    .action((options: Options) => run(cli, options));
}

async function run(cli: Cli, options: Options): Promise<void> {
  const { madeOn, now } = options;
  await using session = await openSession(cli);
  const brand = await findBrand(session.db, options.brand);
  if (madeOn !== undefined) await refuseFuture(session, brand, madeOn, now);
  const retailer =
    options.retailer === undefined ? undefined : await findRetailer(session.db, brand.id, options.retailer);
  const target = retailer?.slug ?? brand.slug;
  const id = await session.db.transaction(async (tx) => {
    await (retailer ? keepRetailer(tx, brand.id, retailer.id) : keepBrand(tx, brand.id));
    await recordAction(tx, {
      action: 'forecast.run',
      brandId: brand.id,
      target,
      details: { madeOn, now },
    });
    const payload = { brandId: brand.id, retailerId: retailer?.id, madeOn, now };
    return enqueue(tx, forecast, payload, { keyMode: 'replace' }); // means now
  });
  const job = { id, label: `forecast of ${target}` };
  if (!options.wait) {
    await sayQueued(cli, session, [job]);
    return cli.out.list([{ job_id: id, brand: brand.slug }], ['job_id', 'brand']);
  }
  const [state] = await finish(cli, session, [job], options);
  const done = { job_id: id, state: state?.state, ...state?.tally, error: state?.error_message };
  cli.out.list([done], ['job_id', 'state', 'retailers', 'forecast', 'silent', 'written', 'deleted', 'error']);
  cli.out.say(`Next: npx nightshift forecast show --brand ${brand.slug}`);
}

async function refuseFuture({ db }: Session, { timeZone }: Brand, madeOn: string, now?: string) {
  const { rows } = await db.query<{ today: string; is_later: boolean }>(
    `select t.today, $1::date > t.today as is_later
     from (select (coalesce($2::timestamptz, now()) at time zone $3)::date as today) t`,
    [madeOn, now ?? null, timeZone],
  );
  const [row] = rows;
  if (row?.is_later)
    throw new UsageError(
      `The days before ${madeOn} are not over: today is ${row.today}.`,
      `give --made-on ${row.today} or an earlier day`,
    );
}
