/** `connections webhooks privacy` */
import type { Command } from 'commander';
import { currentAccount } from '#sql/tenants/audit.ts';
import { NameNotFound } from '#sql/tenants/names.ts';
import { finishPrivacyRequest, listPrivacyRequests } from '#sql/webhooks/privacy.ts';
import { findTheConnection } from '../../shared/find_connection.ts';
import type { Cli } from '../../shared/noun.ts';
import { whichConnection } from '../../shared/options/options.ts';
import { openSession } from '../../shared/session.ts';
import { UsageError } from '../../ui/errors.ts';

const LISTED_MAX = 200;
const COLUMNS = ['id', 'kind', 'subject', 'requested_at', 'due_at', 'done_at'];

type Options = { brand?: string; done?: string };

export function addPrivacyVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('privacy'))
    .description('list requests of persons that the provider passed on, or note that one is done')
    .option('--done <id>', 'what it wanted is done')
    .action((name: string, options: Options) => privacy(cli, name, options));
}

async function privacy(cli: Cli, name: string, { brand, done }: Options): Promise<void> {
  const id = Number(done);
  if (done !== undefined && !(Number.isSafeInteger(id) && id > 0))
    throw new UsageError('--done takes the number of a request.', 'list them without --done');
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  const which = { brandId: connection.brandId, connectionId: connection.id, name: connection.name };
  if (done === undefined) {
    cli.out.list(await listPrivacyRequests(session.db, which, LISTED_MAX), COLUMNS);
    return;
  }
  const isDone = await session.db.transaction((tx) =>
    finishPrivacyRequest(tx, { ...which, id, by: currentAccount() }),
  );
  if (!isDone) throw new NameNotFound('connection', `${name}, open request ${id}`, []);
  cli.out.record({ connection: connection.name, request: id, done: true }, () => [
    `Request ${id} of ${connection.name} is done.`,
  ]);
}
