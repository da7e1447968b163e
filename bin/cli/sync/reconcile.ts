/** `sync reconcile` */
import type { Command } from 'commander';
import { isReconcilable, providers, streamNames } from '#connectors/providers.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { dueReconciliations } from '#tasks/reconcile.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { sayQueued, timeoutOption, type WaitOptions } from '../shared/work.ts';
import { isoInstant } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { type Choice, choose } from './choose.ts';
import { enqueueSyncs } from './enqueue.ts';
import { waitFor } from './wait.ts';

type Options = WaitOptions & {
  brand: string;
  connection?: string;
  stream?: string;
  due?: boolean;
  now?: string;
};

export function addReconcile(command: Command, cli: Cli): void {
  command
    .command('reconcile')
    .description('hold what is stored of the last 35 days against a fresh list, and mend what differs')
    .requiredOption('--brand <brand>', 'whose connections')
    .option('--connection <name>', 'only this one')
    .option('--stream <stream>', `only this one of ${streamNames.filter(isReconcilable).join(', ')}`)
    .option('--due', 'only what was not reconciled for a week')
    .option('--wait', 'stay until it is done, and end as it did')
    .addOption(timeoutOption())
    .option('--now <instant>', 'as of this instant (for scenarios and tests)', isoInstant)
    .action((options: Options) => reconcile(cli, options));
}

async function reconcile(cli: Cli, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const brand = await findBrand(session.db, options.brand);
  const { chosen, leftOut } = await choose(session.db, brand, options);
  for (const line of leftOut) cli.out.say(line);
  const able = chosen.filter(({ stream }) => isReconcilable(stream));
  if (able.length === 0) {
    throw new UsageError(
      'None of these streams is reconciled: each of their syncs holds its counts against the provider’s own.',
      `name a connection of ${providers.flatMap((one) => (one.isReconcilable ? one.title : [])).join(', ')}`,
    );
  }
  const wanted = options.due ? await dueOf(session, brand.id, able, options.now) : able;
  const queued = await enqueueSyncs(session.db, wanted, { reconcile: true, now: options.now });
  // Awaited here: the session ends with this function.
  if (options.wait && queued.length > 0) return await waitFor(cli, session, brand, queued, options);
  if (queued.length > 0) await sayQueued(cli, session, queued);
  else cli.out.say('Nothing is due.');
  cli.out.list(
    queued.flatMap(({ rows }) => rows.map(({ row }) => row)),
    ['job_id', 'connection', 'stream'],
  );
}

async function dueOf(
  { db }: Session,
  brandId: string,
  choices: readonly Choice[],
  now: string | undefined,
): Promise<Choice[]> {
  const due = await dueReconciliations(db, { brandId, now: now === undefined ? new Date() : new Date(now) });
  const keys = new Set(due.map(({ connectionId, stream }) => `${connectionId} ${stream}`));
  return choices.filter(({ connection, stream }) => keys.has(`${connection.id} ${stream}`));
}
