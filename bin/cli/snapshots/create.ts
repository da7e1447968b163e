/** `snapshots create` */
import { type Command, Option } from 'commander';
import { type Scope, scopes } from '#sql/snapshots/tables.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { RATE_MAX, snapshot } from '#tasks/snapshot.ts';
import type { Cli } from '../shared/noun.ts';
import { type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { endJobs } from './jobs.ts';
import { brandsOf } from './which.ts';

type Options = WaitOptions & { brand?: string; scope: Scope; rate?: number };

export function addCreate(command: Command, cli: Cli): void {
  const verb = command
    .command('create')
    .description('make a snapshot of each brand; what did not change since the last one is not stored again')
    .option('--brand <brand>', 'only this brand (default: all brands)')
    .addOption(
      new Option('--scope <scope>', 'aggregates: configuration and figures; all: everything')
        .choices(scopes)
        .default('all'),
    )
    .option('--rate <megabytes>', 'read at most so many megabytes a second', wholeNumber(1, RATE_MAX));
  waitOptions(verb).action((options: Options) => create(cli, options));
}

async function create(cli: Cli, { brand, scope, rate, wait, timeout }: Options): Promise<void> {
  await using session = await openSession(cli);
  const jobs = [];
  for (const { id: brandId, slug } of await brandsOf(session, brand)) {
    const id = await session.db.transaction(async (tx) => {
      await recordAction(tx, { action: 'snapshots.create', brandId, target: slug, details: { scope, rate } });
      return enqueue(tx, snapshot, { brandId, scope, rate }, { keyMode: 'replace' }); // means now
    });
    jobs.push({ id, label: `snapshot of ${slug}`, brand: slug });
  }
  await endJobs(cli, session, jobs, {
    wait,
    timeout,
    columns: ['snapshot', 'rows', 'parts', 'new_parts', 'new_bytes'],
  });
}
