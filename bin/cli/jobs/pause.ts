/** `jobs pause`, `jobs resume` and `jobs pauses` */
import type { Command } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { type Paused, pause, readPauses, resume } from '#sql/queue/pauses.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { pauseTarget, resumeCommand } from '../shared/pause_target.ts';
import { openSession } from '../shared/session.ts';
import { isoInstant, title } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { grouped } from '../ui/format.ts';
import { assertTask } from './filter.ts';

const PAUSES_MAX = 1_000;

type Which = { task?: string; provider?: string; brand?: string; connection?: string };

export function addPauses(command: Command, cli: Cli): void {
  which(command.command('pause').description('let jobs wait, without spending an attempt; what runs goes on'))
    .requiredOption('--reason <text>', 'why', title)
    .option('--until <instant>', 'they go on by themselves then', isoInstant)
    .action(async (options: Which & { reason: string; until?: string }) => {
      await using session = await openSession(cli);
      const { reason, until, task, provider, brand, connection } = options;
      const { paused, target } = await read(session.db, options);
      const given = { target, reason, until, by: currentAccount() };
      if (!(await pause(session.db, paused, given)))
        throw new UsageError(`${until} is past.`, 'name an instant ahead, or leave --until out');
      cli.out.record({ paused: target, reason, until }, () => [
        `Jobs of ${target} are paused${until === undefined ? '' : ` until ${until}`}. Workers know it within a second.`,
      ]);
      cli.out.say(`Next: ${resumeCommand({ task, provider, brand, connection })}`);
    });
  which(command.command('resume').description('let paused jobs go on')).action(async (options: Which) => {
    await using session = await openSession(cli);
    const { paused, target } = await read(session.db, options);
    await resume(session.db, paused, target);
    cli.out.record({ resumed: target }, () => [`Jobs of ${target} go on.`]);
  });
  command
    .command('pauses')
    .description('what is paused, by whom, why and until when')
    .action(async () => {
      await using session = await openSession(cli);
      const { pauses, total } = await readPauses(session.db, PAUSES_MAX);
      cli.out.list(pauses, COLUMNS);
      if (total > pauses.length) cli.out.say(`and ${grouped(total - pauses.length)} more`);
    });
}

const COLUMNS = [
  'task',
  'provider',
  'brand',
  'connection',
  'jobs',
  'paused_by',
  'paused_at',
  'until',
  'reason',
];

function which(verb: Command): Command {
  return verb
    .option('--task <task>', 'jobs of this task')
    .option('--provider <provider>', 'jobs of connections to this provider')
    .option('--brand <brand>', 'jobs of this brand')
    .option('--connection <connection>', 'jobs of this connection, by its name or id');
}

async function read(db: Db, options: Which): Promise<{ paused: Paused; target: string }> {
  const { task, provider, brand, connection } = options;
  if (provider !== undefined && (brand ?? connection) !== undefined)
    throw new UsageError(
      'A provider is paused for all brands.',
      'leave --provider out, or name a connection',
    );
  if ((task ?? provider ?? brand ?? connection) === undefined)
    throw new UsageError('What is meant?', 'add --task, --provider, --brand or --connection');
  if (task !== undefined) await assertTask(db, task);
  if (provider !== undefined) await assertProvider(provider);
  if (connection !== undefined) {
    const found = await findTheConnection(db, connection, brand);
    const { id: connectionId, name } = found.connection;
    const target = pauseTarget({ task, brand: found.brand.slug, connection: name });
    return { paused: { task, brandId: found.brand.id, connectionId }, target };
  }
  const brandId = brand === undefined ? undefined : (await findBrand(db, brand)).id;
  return { paused: { task, provider, brandId }, target: pauseTarget({ task, provider, brand }) };
}

async function assertProvider(provider: string): Promise<void> {
  const { providers } = await import('#connectors/providers.ts');
  if (!providers.some(({ name }) => name === provider))
    throw new UsageError(
      `There is no provider ${provider}.`,
      `one of ${providers.map(({ name }) => name).join(', ')}`,
    );
}
