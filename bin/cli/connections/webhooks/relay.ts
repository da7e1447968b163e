/** `connections webhooks relay` */
import type { Command } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { checkedRelay, relayOf, setRelay } from '#sql/webhooks/relays.ts';
import { findTheConnection } from '../../shared/find_connection.ts';
import type { Cli } from '../../shared/noun.ts';
import { whichConnection } from '../../shared/options/options.ts';
import { openSession } from '../../shared/session.ts';
import { UsageError } from '../../ui/errors.ts';
import { webhookOf } from './secret.ts';

type Options = { brand?: string; to?: string; off?: boolean };

export function addRelayVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('relay'))
    .description('forward verified deliveries to your own consumer, with the headers of their signature')
    .option('--to <address>', 'where it listens: https, and a host of NIGHTSHIFT_ALLOWED_HOSTS')
    .option('--off', 'forward nothing any more, and forget what waits')
    .action((name: string, options: Options) => relay(cli, name, options));
}

async function relay(cli: Cli, name: string, { brand, to, off = false }: Options): Promise<void> {
  if ((to === undefined) !== off)
    throw new UsageError('Say where to, or --off.', '--to https://hooks.example.com/path');
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  webhookOf(cli, connection);
  const url = to === undefined ? null : checkedRelay(to, session.config.allowedHosts);
  const which = { brandId: connection.brandId, connectionId: connection.id };
  await session.db.transaction(async (tx) => {
    const before = await relayOf(tx, which);
    await setRelay(tx, which, url);
    await recordAction(tx, {
      ...{ action: 'connections.webhooks_relay', brandId: which.brandId, target: connection.name },
      ...{ before: { to: hostOf(before) }, after: { to: hostOf(url) } },
    });
  });
  cli.out.record({ connection: connection.name, relay: url }, () => [
    url === null
      ? `Deliveries of ${connection.name} are forwarded to nobody.`
      : `Deliveries of ${connection.name} that come from now on are forwarded to ${new URL(url).host}.`,
  ]);
}

/** A path may be a secret. */
function hostOf(url: string | null): string | null {
  return url === null ? null : new URL(url).host;
}
