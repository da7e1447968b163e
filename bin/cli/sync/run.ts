/** `sync run` */
import type { Command } from 'commander';
import { streamNames } from '#connectors/providers.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { sayQueued } from '../shared/work.ts';
import { isoInstant } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { choose } from './choose.ts';
import { enqueueSyncs, listQueued, type Reading } from './enqueue.ts';
import { waitFor } from './wait.ts';

type Options = WaitOptions &
  Reading & { brand: string; connection?: string; stream?: string; dryRun?: boolean };

export function addRun(command: Command, cli: Cli): void {
  const verb = command
    .command('run')
    .description('sync all streams of a brand’s connections, or some of them')
    .requiredOption('--brand <brand>', 'brand of the connections')
    .option('--connection <name>', 'only this connection')
    .option('--stream <stream>', `only this stream, one of ${streamNames.join(', ')}`)
    .option('--full', 'read everything again, not only what has changed')
    .option('--since <instant>', 'read a window again; the sync state stays where it is', isoInstant)
    .option('--until <instant>', 'end of the window (default: now)', isoInstant);
  waitOptions(verb, 'wait for the syncs and their rollups and exit with their status')
    .option('--dry-run', 'show what would be queued')
    .addOption(nowOption('sync as of this instant'))
    .action((options: Options) => run(cli, options));
}

async function run(cli: Cli, options: Options): Promise<void> {
  const { full, since, until, now, wait, dryRun } = options;
  if (until !== undefined && since === undefined)
    throw new UsageError('A window needs a beginning.', 'add --since');
  if (since !== undefined && until !== undefined && since >= until)
    throw new UsageError(
      `The window ends (${until}) before it begins (${since}).`,
      'swap --since and --until',
    );
  if (full && since !== undefined)
    throw new UsageError('--full and --since exclude each other.', 'leave out --full or --since');
  await using session = await openSession(cli);
  const brand = await findBrand(session.db, options.brand);
  const { chosen, leftOut } = await choose(session.db, brand, options);
  for (const line of leftOut) cli.out.say(line);
  if (dryRun)
    return cli.out.list(
      chosen.map(({ row }) => row),
      ['connection', 'stream'],
    );
  const queued = await enqueueSyncs(session.db, chosen, { full, since, until, now });
  if (wait) await waitFor(cli, session, brand, queued, options);
  else {
    await sayQueued(cli, session, queued);
    listQueued(cli, queued);
  }
  if (leftOut.length > 0 && cli.exitCode === exitCodes.ok) cli.exitCode = exitCodes.partial;
}
