/** `connections move` and `connections set-url` */
import type { Command } from 'commander';
import { providerOf } from '#connectors/providers.ts';
import { checkedBaseUrl } from '#sql/tenants/hosts.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { recompute } from '../shared/recompute.ts';
import { openSession } from '../shared/session.ts';
import { confirm } from '../ui/confirm.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';
import { storeAddress } from './address.ts';

type MoveOptions = { brand?: string; retailer: string; dryRun?: boolean; yes?: boolean };

export function addMove(command: Command, cli: Cli): void {
  whichConnection(command.command('move'))
    .description('assign the connection and all its history to another retailer; recomputes the days of both')
    .requiredOption('--retailer <retailer>', 'retailer that gets it')
    .option('--dry-run', 'show what would be recomputed and change nothing')
    .option('--yes', 'do not ask for confirmation')
    .action((name: string, options: MoveOptions) => move(cli, name, options));
}

async function move(cli: Cli, name: string, { brand, retailer, dryRun, yes }: MoveOptions): Promise<void> {
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  if (providerOf(connection.provider).level === 'brand')
    throw new UsageError(
      `${connection.name} belongs to the whole brand, not to a retailer.`,
      `give its parts to retailers: npx nightshift connections map ${connection.name} PART --retailer RETAILER`,
    );
  const { brandId, id: connectionId } = connection;
  const { id: retailerId } = await findRetailer(session.db, brandId, retailer);
  if (!dryRun) await confirm(cli.io, `Move ${connection.name} with all its history to ${retailer}?`, yes);
  const result = await recompute(session, { brandId, dryRun }, (tx, tables, now) =>
    moveConnection(tx, { brandId, connectionId, retailerId, tables, now }),
  );
  const tense = dryRun ? 'would be' : 'are';
  cli.out.record({ connection: connection.name, retailer, dry_run: dryRun === true, ...result }, () => [
    `${count(result.days, 'day')} of ${count(result.retailers, 'retailer')} ${tense} marked to be recomputed.`,
  ]);
}

export function addSetUrl(command: Command, cli: Cli): void {
  whichConnection(command.command('set-url'))
    .description('change the address that requests go to')
    .argument('<url>', 'address of the provider, of loopback, or of a host in NIGHTSHIFT_ALLOWED_HOSTS')
    .action(async (name: string, url: string, { brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      const baseUrl = checkedBaseUrl(providerOf(connection.provider), url, session.config.allowedHosts);
      await session.db.transaction((tx) => storeAddress(tx, connection, baseUrl));
      cli.out.record({ connection: connection.name, base_url: baseUrl }, () => [
        `${connection.name} talks to ${baseUrl}.`,
      ]);
    });
}
