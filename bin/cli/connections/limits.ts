/** `connections limits` */
import { type Command, InvalidArgumentError } from 'commander';
import { providerOf, providers } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { limitRequests } from '#sql/tenants/account_facts.ts';
import type { Connection } from '#sql/tenants/connections.ts';
import { resetRateBudgets } from '#sql/tenants/rate_limits.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';

const REQUESTS_PER_SECOND_MAX = 10_000;
const USUAL = 'usual';
/** Providers whose limits are set by hand. */
export const RAISING = providers
  .filter(({ raisesLimits }) => raisesLimits)
  .map(({ title }) => title)
  .join(', ');

type Options = { brand?: string; reset?: boolean };

export function addLimits(command: Command, cli: Cli): void {
  whichConnection(command.command('limits'))
    .description(
      `set a request limit that the provider has raised for the account (${RAISING}), which running syncs obey at once; or reset the counts`,
    )
    .argument('[requests-per-second]', `a number, or ${USUAL} for the provider’s standard limit`, limit)
    .option('--reset', 'forget the counts and waits of the account, for every brand that reads it')
    .action(async (name: string, wanted: number | null | undefined, { brand, reset }: Options) => {
      assertOneOf(wanted, reset);
      await using session = await openSession(cli);
      const { connection, brand: owner } = await findTheConnection(session.db, name, brand);
      if (wanted !== undefined) await change(cli, session.db, connection, wanted);
      else await forget(cli, session.db, connection, owner.slug);
    });
}

function assertOneOf(wanted: number | null | undefined, reset: boolean | undefined): void {
  if ((wanted === undefined) === (reset === true)) return;
  throw new UsageError(
    'connections limits takes either a number of requests a second or --reset.',
    `a number, ${USUAL} for the provider’s standard limit, or --reset to send requests again at once`,
  );
}

async function change(cli: Cli, db: Db, connection: Connection, wanted: number | null): Promise<void> {
  assertLimited(connection.provider);
  const which = { brandId: connection.brandId, connectionId: connection.id };
  await db.transaction((tx) => limitRequests(tx, which, wanted));
  const said = wanted === null ? 'the usual limit of the provider' : `${wanted} requests a second`;
  cli.out.record({ connection: connection.name, requests_per_second: wanted }, () => [
    `${connection.name} keeps to ${said}.`,
  ]);
}

async function forget(cli: Cli, db: Db, connection: Connection, brand: string): Promise<void> {
  const { name, account } = connection;
  const reset = await db.transaction((tx) => resetRateBudgets(tx, connection));
  cli.out.record({ connection: name, account, reset }, () => [
    `${account} can be read again at once: ${count(reset, 'counter')} of its requests reset.`,
  ]);
  cli.out.say(`Next: npx nightshift sync run --brand ${brand} --connection ${name}`);
}

export function requestsPerSecond(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= REQUESTS_PER_SECOND_MAX) return number;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${REQUESTS_PER_SECOND_MAX}`);
}

function limit(text: string): number | null {
  return text === USUAL ? null : requestsPerSecond(text);
}

/** The others report their limits with every answer. */
export function assertLimited(name: string): void {
  const { title, raisesLimits } = providerOf(name);
  if (raisesLimits) return;
  throw new UsageError(
    `The limits of ${title} are not set by hand.`,
    'its answers report them, and syncs keep to them without a setting',
  );
}
