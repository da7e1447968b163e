/** `sync run` */
import type { Command } from 'commander';
import { streamNames } from '#connectors/providers.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import { type Brand, findBrand } from '#sql/tenants/brands.ts';
import { listRetailers } from '#sql/tenants/retailers.ts';
import type { Cli } from '../shared/noun.ts';
import { pendingRollups } from '../shared/rollups_pending.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish, sayQueued, timeoutOption, type WaitOptions } from '../shared/work.ts';
import { isoInstant } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';
import { choose } from './choose.ts';
import { enqueueSyncs, type QueuedSync, type Reading } from './enqueue.ts';

type Options = WaitOptions &
  Reading & { brand: string; connection?: string; stream?: string; dryRun?: boolean };

export function addRun(command: Command, cli: Cli): void {
  command
    .command('run')
    .description('sync every stream of a brand’s connections, or some of them')
    .requiredOption('--brand <brand>', 'whose connections')
    .option('--connection <name>', 'only this one')
    .option('--stream <stream>', `only this one of ${streamNames.join(', ')}`)
    .option('--full', 'read everything again instead of what is new')
    .option('--since <instant>', 'read a window again, without moving the position', isoInstant)
    .option('--until <instant>', 'end of the window; now when left out', isoInstant)
    .option('--wait', 'stay until syncs and their rollups are done, and end as they did')
    .addOption(timeoutOption())
    .option('--dry-run', 'say what would be queued')
    .option('--now <instant>', 'sync as of this instant (for scenarios and tests)', isoInstant)
    .action((options: Options) => run(cli, options));
}

async function run(cli: Cli, options: Options): Promise<void> {
  const { full, since, until, now, wait, dryRun } = options;
  if (until !== undefined && since === undefined)
    throw new UsageError('A window begins somewhere.', 'add --since');
  if (since !== undefined && until !== undefined && since >= until)
    throw new UsageError(
      `The window ends (${until}) before it begins (${since}).`,
      'swap --since and --until',
    );
  if (full && since !== undefined)
    throw new UsageError('Either everything or a window.', 'leave out --full or --since');
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
    cli.out.list(
      queued.map(({ row }) => row),
      ['job_id', 'connection', 'stream'],
    );
  }
  if (leftOut.length > 0 && cli.exitCode === exitCodes.ok) cli.exitCode = exitCodes.partial;
}

/** What was read has changed something, or not, or was older than what is stored. */
const DONE_COLUMNS = [
  ...['connection', 'stream', 'state', 'read', 'changed', 'unchanged', 'stale', 'deleted', 'rejected'],
  'error',
];

/** Until the syncs and the rollups that they cause are done. */
export async function waitFor(
  cli: Cli,
  session: Session,
  brand: Brand,
  jobs: QueuedSync[],
  { timeout }: WaitOptions,
): Promise<void> {
  const retailerIds = new Set(jobs.map(({ retailerId }) => retailerId));
  const retailers = (await listRetailers(session.db, brand.id)).filter(({ id }) => retailerIds.has(id));
  const thenAlso = () => pendingRollups(session.db, brand.id, retailers);
  const states = await finish(cli, session, jobs, { timeout, thenAlso });
  const rows = jobs.map(({ row }, at) => ({
    ...row,
    state: states[at]?.state,
    ...states[at]?.tally,
    error_code: states[at]?.error_code,
    error: states[at]?.error_message ?? states[at]?.tally?.incomplete,
  }));
  cli.out.list(rows, DONE_COLUMNS);
  cli.out.say(`${count(jobs.length, 'sync')} done. See: npx nightshift sync status --brand ${brand.slug}`);
}
