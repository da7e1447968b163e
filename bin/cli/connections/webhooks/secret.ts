/** `connections webhooks secret` */
import type { Command } from 'commander';
import type { Webhook } from '#connectors/kit/webhook.ts';
import { builtIn } from '#connectors/providers.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Connection } from '#sql/tenants/connections.ts';
import { addSecret } from '#sql/webhooks/secrets.ts';
import { pathOf } from '#tasks/webhooks/subscriptions.ts';
import { findTheConnection } from '../../shared/find_connection.ts';
import { keyringOf } from '../../shared/keyring.ts';
import type { Cli } from '../../shared/noun.ts';
import { whichConnection } from '../../shared/options/options.ts';
import { openSession } from '../../shared/session.ts';
import { UsageError } from '../../ui/errors.ts';
import { count } from '../../ui/format.ts';
import { readKey } from '../../ui/secret_input.ts';

type Options = { brand?: string; keyEnv?: string; only?: boolean };

export function addSecretVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('secret'))
    .description('store what verifies deliveries, beside what does already, so that it can be replaced')
    .option(
      '--key-env <variable>',
      'environment variable with it; without it, it is read from standard input',
    )
    .option('--only', 'from now on only this one verifies')
    .action((name: string, options: Options) => storeSecret(cli, name, options));
}

async function storeSecret(cli: Cli, name: string, { brand, keyEnv, only = false }: Options): Promise<void> {
  const secret = await readKey({ keyEnv }, cli);
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  const problem = webhookOf(cli, connection).problemOf?.(secret);
  if (problem !== undefined)
    throw new UsageError(`That is not it: ${problem}.`, 'look it up at the provider');
  const { sealer } = await keyringOf(cli, session);
  const { brandId, id: connectionId } = connection;
  const secrets = await session.db.transaction(async (tx) => {
    const added = { brandId, connectionId, name: connection.name, secret, only };
    const there = await addSecret(tx, sealer, added);
    await recordAction(tx, {
      action: 'connections.webhooks_secret',
      ...{ brandId, target: connection.name },
      after: { secrets: there },
    });
    return there;
  });
  const path = pathOf(connection);
  cli.out.record({ connection: connection.name, secrets, path }, () => [
    `${count(secrets, 'secret')} of ${connection.name}: each verifies its deliveries.`,
    `They go to ${path} of the web server.`,
  ]);
}

export function webhookOf(cli: Cli, { provider, name }: Connection): Webhook {
  const { webhook, title } = (cli.io.providers ?? builtIn).providerOf(provider);
  if (webhook === undefined)
    throw new UsageError(
      `${title} delivers nothing to ${name}.`,
      'it is only asked: npx nightshift sync run --brand BRAND',
    );
  return webhook;
}
