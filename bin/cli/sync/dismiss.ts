/** `sync dismiss` */
import type { Command } from 'commander';
import { dismissRejected } from '#sql/load/quarantine.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';

type Options = { brand?: string; stream: string };

export function addDismiss(command: Command, cli: Cli): void {
  command
    .command('dismiss')
    .description(
      'remove records that will never load from the quarantine (ops.rejected_rows); one that comes again returns to it',
    )
    .argument('<connection>', 'name of the connection, or its id')
    .argument('<records...>', 'their row_key in ops.rejected_rows')
    .requiredOption('--stream <stream>', 'stream that quarantined them')
    .option('--brand <brand>', 'brand that the connection belongs to')
    .action((name: string, records: string[], options: Options) => dismiss(cli, name, records, options));
}

/** Removes all or none: a missing one was mistyped. */
async function dismiss(cli: Cli, name: string, records: readonly string[], options: Options): Promise<void> {
  const { brand, stream } = options;
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  const which = {
    brandId: connection.brandId,
    connectionId: connection.id,
    connection: connection.name,
    stream,
  };
  await session.db.transaction(async (tx) => {
    const dismissed = await dismissRejected(tx, which, records);
    const missing = records.find((record) => !dismissed.includes(record));
    if (missing === undefined) return;
    throw new UsageError(
      `${stream} of ${connection.name} has no quarantined record ${missing}.`,
      'give the row_key of a row in ops.rejected_rows',
    );
  });
  const said = `${count(records.length, 'record')} dismissed; the next sync of ${stream} shows whether it is complete.`;
  cli.out.record({ connection: connection.name, stream, dismissed: records.length }, () => [said]);
}
