/** `connections list` */
import type { Command } from 'commander';
import type { Connection } from '#sql/tenants/connections.ts';
import { everyConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import type { Row } from '../ui/output.ts';

const COLUMNS = ['brand', 'connection', 'provider', 'account', 'state', 'held_reason', 'checked_at'];

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('list all connections, or those of one brand; keys are never shown')
    .option('--brand <brand>', 'only connections of this brand')
    .action(async ({ brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const found = await everyConnection(session.db, brand);
      cli.out.list(
        found.map(({ brand: { slug }, connection }) => connectionRow(slug, connection)),
        COLUMNS,
      );
    });
}

export function connectionRow(brand: string, connection: Connection): Row {
  return {
    ...{ brand, connection: connection.name, provider: connection.provider, account: connection.account },
    ...{ base_url: connection.baseUrl, auth: connection.auth, id: connection.id },
    state: connection.removingAt ? 'removing' : connection.heldAt === null ? 'free' : 'held',
    ...{ held_at: connection.heldAt, held_code: connection.heldCode, held_reason: connection.heldReason },
    ...{ granted_scopes: connection.grantedScopes, checked_at: connection.checkedAt },
    ...{ retailer_id: connection.retailerId, requests_per_second: connection.requestsPerSecond },
    account_zone: connection.accountZone,
  };
}
