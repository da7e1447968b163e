/** `connections webhooks relay` */
import type { Command } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { checkedRelay, type RelayState, relayOf, relayState, setRelay } from '#sql/webhooks/relays.ts';
import { resumeRelay, stopRelay } from '#tasks/webhooks/relay_deliveries.ts';
import { findTheConnection } from '../../shared/find_connection.ts';
import type { Cli } from '../../shared/noun.ts';
import { whichConnection } from '../../shared/options/options.ts';
import { openSession } from '../../shared/session.ts';
import { UsageError } from '../../ui/errors.ts';
import { count } from '../../ui/format.ts';
import { webhookOf } from './secret.ts';

type Options = { brand?: string; to?: string; off?: boolean };

export function addRelayVerb(command: Command, cli: Cli): void {
  whichConnection(command.command('relay'))
    .description(
      'forward verified deliveries to your own consumer, with the headers of their signature; or show how that gets on',
    )
    .option('--to <address>', 'where it listens: https, and a host of NIGHTSHIFT_ALLOWED_HOSTS')
    .option('--off', 'forward nothing any more, and forget what waits')
    .action((name: string, options: Options) => relay(cli, name, options));
}

async function relay(cli: Cli, name: string, { brand, to, off = false }: Options): Promise<void> {
  if (to !== undefined && off)
    throw new UsageError('Say where to, or --off.', '--to https://hooks.example.com/path');
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  webhookOf(cli, connection);
  const which = { brandId: connection.brandId, connectionId: connection.id };
  if (to === undefined && !off) return show(cli, connection.name, await relayState(session.db, which));
  const url = to === undefined ? null : checkedRelay(to, session.config.allowedHosts);
  await session.db.transaction(async (tx) => {
    const before = await relayOf(tx, which);
    await setRelay(tx, which, url);
    await recordAction(tx, {
      action: 'connections.webhooks_relay',
      ...{ brandId: which.brandId, target: connection.name },
      ...{ before: { to: hostOf(before) }, after: { to: hostOf(url) } },
    });
    if (url === null) await stopRelay(tx, which);
    else await resumeRelay(tx, which);
  });
  cli.out.record({ connection: connection.name, relay: url }, () => [
    url === null
      ? `Deliveries of ${connection.name} are forwarded to nobody.`
      : `Deliveries of ${connection.name} that come from now on are forwarded to ${new URL(url).host}.`,
  ]);
}

function show(cli: Cli, connection: string, { to, ...state }: RelayState): void {
  cli.out.record({ connection, relay: to, ...state }, () => [
    to === null
      ? `Deliveries of ${connection} are forwarded to nobody.`
      : `Deliveries of ${connection} are forwarded to ${new URL(to).host}.`,
    state.waits_since === null
      ? 'None waits.'
      : `${count(state.waiting, 'delivery', 'deliveries')} wait, the first since ${state.waits_since.toISOString()}.`,
    ...(state.given_up > 0
      ? [`${count(state.given_up, 'delivery', 'deliveries')} of the last days were given up.`]
      : []),
    ...(state.failing_since === null
      ? []
      : [
          `It fails since ${state.failing_since.toISOString()} (${count(state.failures, 'time')}): ${state.error}`,
          `Next try: ${state.retry_after?.toISOString()}`,
        ]),
  ]);
}

/** A path may be a secret. */
function hostOf(url: string | null): string | null {
  return url === null ? null : new URL(url).host;
}
