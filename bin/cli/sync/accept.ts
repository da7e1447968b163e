/** `sync accept` */
import type { Command } from 'commander';
import { acceptCheck } from '#sql/load/checks.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';

type Options = { brand?: string; stream: string };

export function addAccept(command: Command, cli: Cli): void {
  command
    .command('accept')
    .description('accept why a check fails: it counts as passed for as long as it fails for the same cause')
    .argument('<connection>', 'name of the connection, or its id')
    .argument('<check>', 'name of the check, as sync status --checks shows it')
    .requiredOption('--stream <stream>', 'stream of the check')
    .option('--brand <brand>', 'brand that the connection belongs to')
    .action((name: string, check: string, options: Options) => accept(cli, name, check, options));
}

async function accept(cli: Cli, name: string, check: string, { brand, stream }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  const { brandId, id: connectionId } = connection;
  const which = { brandId, connectionId, connection: connection.name, stream };
  if (!(await session.db.transaction((tx) => acceptCheck(tx, which, check))))
    throw new UsageError(
      `${stream} of ${connection.name} has no failed check ${check}.`,
      'see those that fail: npx nightshift sync status --checks',
    );
  cli.out.record({ connection: connection.name, stream, check }, () => [
    `Accepted; the next sync of ${stream} shows whether it is complete.`,
  ]);
}
