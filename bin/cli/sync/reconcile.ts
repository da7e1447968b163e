/** `sync reconcile` */
import type { Command } from 'commander';
import { isReconcilable, providers, streamNames } from '#connectors/providers.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { dueReconciliations } from '#tasks/reconcile.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { sayQueued } from '../shared/work.ts';
import { UsageError } from '../ui/errors.ts';
import { type Choice, choose } from './choose.ts';
import { enqueueSyncs, listQueued } from './enqueue.ts';
import { waitFor } from './wait.ts';

type Options = WaitOptions & {
  brand: string;
  connection?: string;
  stream?: string;
  due?: boolean;
  now?: string;
};

export function addReconcile(command: Command, cli: Cli): void {
  const verb = command
    .command('reconcile')
    .description('compare the last 35 days with a fresh list of the provider and repair what differs')
    .requiredOption('--brand <brand>', 'brand of the connections')
    .option('--connection <name>', 'only this connection')
    .option('--stream <stream>', `only this stream, one of ${streamNames.filter(isReconcilable).join(', ')}`)
    .option('--due', 'only streams that were not reconciled for a week');
  waitOptions(verb)
    .addOption(nowOption())
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
      'None of these streams is reconciled: each of their syncs compares its counts with the provider’s own.',
      `name a connection of ${providers.flatMap((one) => (one.isReconcilable ? one.title : [])).join(', ')}`,
    );
  }
  const wanted = options.due ? await dueOf(session, brand.id, able, options.now) : able;
  const queued = await enqueueSyncs(session.db, wanted, { reconcile: true, now: options.now });
  // Awaited here, because the session ends with this function.
  if (options.wait && queued.length > 0) return await waitFor(cli, session, brand, queued, options);
  if (queued.length > 0) await sayQueued(cli, session, queued);
  else cli.out.say('Nothing is due.');
  listQueued(cli, queued);
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
