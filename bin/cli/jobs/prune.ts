/** `jobs prune` */
import type { Command } from 'commander';
import { countExpired, KEPT_DAYS, recordNames } from '#sql/queue/retention.ts';
import { countExpiredOf } from '#sql/retention/brand_records.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { listBrands } from '#sql/tenants/brands.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { retention } from '#tasks/retention.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';

type Options = WaitOptions & { dryRun?: boolean; now?: string };

const kept = Object.entries(KEPT_DAYS)
  .map(([name, days]) => `${name} ${days} days`)
  .join(', ');

export function addPrune(command: Command, cli: Cli): void {
  const verb = command
    .command('prune')
    .description(
      `delete old records of the platform's own work; of brands as brands keep says, else kept: ${kept}`,
    )
    .option('--dry-run', 'show how many there are and delete nothing');
  waitOptions(verb)
    .addOption(nowOption('act as of this instant, or as of now if that is earlier'))
    .action((options: Options) => prune(cli, options));
}

async function prune(cli: Cli, { dryRun, wait, timeout, now }: Options): Promise<void> {
  await using session = await openSession(cli);
  const owners: Owner[] = [
    { id: null, slug: null },
    ...(await listBrands(session.db)).filter(({ removingAt }) => removingAt === null),
  ];
  if (dryRun) {
    const counts = await countAll(session, owners, now === undefined ? new Date() : new Date(now));
    return cli.out.list(counts, ['records', 'brand', 'to_delete']);
  }
  const jobs = [];
  for (const { id: brandId, slug } of owners) {
    const whose = brandId === null ? {} : { brandId };
    const id = await session.db.transaction(async (tx) => {
      const target = slug ?? retention.name;
      await recordAction(tx, { action: 'jobs.prune', ...whose, target, details: { now } });
      return enqueue(tx, retention, { ...whose, now }, { keyMode: 'replace' }); // means now
    });
    jobs.push({ id, label: slug === null ? 'retention' : `retention of ${slug}`, brand: slug });
  }
  if (!wait) {
    await sayQueued(cli, session, jobs);
    return cli.out.list(
      jobs.map(({ id, brand }) => ({ job_id: id, brand })),
      ['job_id', 'brand'],
    );
  }
  const states = await finish(cli, session, jobs, { timeout });
  const done = jobs.map(({ id, brand }, at) => ({
    ...{ job_id: id, brand, state: states[at]?.state },
    ...states[at]?.tally,
  }));
  cli.out.list(done, [
    'brand',
    'state',
    'job_runs',
    'restatements',
    'history',
    'webhook_deliveries',
    'events',
  ]);
}

type Owner = { id: string | null; slug: string | null };

async function countAll({ db }: Session, owners: readonly Owner[], now: Date) {
  const counts = [];
  for (const name of recordNames)
    counts.push({ records: `ops.${name}`, brand: null, to_delete: await countExpired(db, name, now) });
  for (const { id: brandId, slug: brand } of owners)
    for (const [name, to_delete] of Object.entries(await countExpiredOf(db, { brandId, now })))
      counts.push({ records: `ops.${name}`, brand, to_delete });
  return counts;
}
