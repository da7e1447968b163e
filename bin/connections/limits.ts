/** `connections limits` */
import { type Command, InvalidArgumentError } from 'commander';
import { limitRequests } from '#sql/connections.ts';
import type { Provider } from '#sql/hosts.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../errors.ts';
import { findTheConnection } from '../find_connection.ts';
import { openSession } from '../session.ts';

const REQUESTS_PER_SECOND_MAX = 10_000;
const USUAL = 'usual';

export function addLimits(command: Command, cli: Cli): void {
  command
    .command('limits')
    .description(
      'say what Stripe allows the account, where it has raised that; running syncs keep to it at once',
    )
    .argument('<name>', 'the connection, or its id')
    .argument('<requests-per-second>', `a number, or ${USUAL} for what Stripe allows everybody`, limit)
    .option('--brand <brand>', 'whose it is')
    .action(async (name: string, wanted: number | null, { brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      assertLimited(connection.provider);
      const which = { brandId: connection.brandId, connectionId: connection.id };
      await session.db.transaction((tx) => limitRequests(tx, which, wanted));
      const said = wanted === null ? 'what Stripe allows everybody' : `${wanted} requests a second`;
      cli.out.record({ connection: connection.name, requests_per_second: wanted }, () => [
        `${connection.name} keeps to ${said}.`,
      ]);
    });
}

export function requestsPerSecond(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= REQUESTS_PER_SECOND_MAX) return number;
  throw new InvalidArgumentError(`It should be a whole number from 1 to ${REQUESTS_PER_SECOND_MAX}`);
}

function limit(text: string): number | null {
  return text === USUAL ? null : requestsPerSecond(text);
}

/** Shopify tells its limits with every answer. */
export function assertLimited(provider: Provider): void {
  if (provider === 'stripe') return;
  throw new UsageError(
    `The limits of ${provider} are not given by hand.`,
    'it tells them with its answers, and they are kept to without a setting',
  );
}
