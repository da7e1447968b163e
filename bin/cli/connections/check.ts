/** `connections check` */
import type { Command } from 'commander';
import type { ConnectionCheck } from '#connectors/kit/provider.ts';
import { checkConnection } from '#connectors/providers.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import { saveScopes } from '#sql/tenants/account_facts.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { type Found, findTheConnection } from '../shared/find_connection.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, whichConnection } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { green, red, yellow } from '../ui/output.ts';

const TIMEOUT_MS = 60_000;

type Options = { brand?: string; now?: string };

export function addCheck(command: Command, cli: Cli): void {
  whichConnection(command.command('check'))
    .description('ask the provider whether the key works and what it may read')
    .addOption(nowOption())
    .action((name: string, options: Options) => check(cli, name, options));
}

async function check(cli: Cli, name: string, { brand, now }: Options): Promise<void> {
  await using session = await openSession(cli);
  const found = await findTheConnection(session.db, name, brand);
  const result = await ask(cli, session, found, now === undefined ? new Date() : new Date(now));
  const { account, missing, warnings, scopes } = result;
  const fit = missing.length === 0;
  // A stream that cannot be read at all counts more than one that is read in part.
  if (!fit) cli.exitCode = exitCodes.failed;
  else if (warnings.length > 0) cli.exitCode = exitCodes.partial;
  const { name: connection, heldAt, heldReason } = found.connection;
  const { timeZone: time_zone, createdAt: created_at, ...known } = account;
  cli.out.record(
    {
      ...{ connection, brand: found.brand.slug, fit, held: heldAt !== null },
      ...{ account: { ...known, time_zone, created_at }, scopes, missing, warnings },
    },
    () => [
      `${connection} reaches ${account.name} (${account.domain}, ${account.currency}, ${account.timeZone}).`,
      `granted: ${scopes.join(', ')}`,
      ...missing.map(({ stream, scopes: lacking, costs }) =>
        red(
          `missing ${lacking.join(', ')}: ${stream} cannot be read${costs ? `, so there are not ${costs}` : ''}`,
        ),
      ),
      ...warnings.map((warning) => yellow(warning)),
      ...(fit && warnings.length === 0 ? [green('It can read everything that Nightshift uses.')] : []),
    ],
  );
  const label = `${connection} --brand ${found.brand.slug}`;
  if (!fit) cli.out.say(`Next: grant ${lackingOf(result).join(', ')} to the app, then check again`);
  else if (heldAt)
    cli.out.say(`It is held (${heldReason}). Next: npx nightshift connections release ${label}`);
}

function lackingOf({ missing }: ConnectionCheck): string[] {
  return [...new Set(missing.flatMap(({ scopes }) => scopes))];
}

async function ask(cli: Cli, session: Session, { connection }: Found, now: Date): Promise<ConnectionCheck> {
  const { db } = session;
  const keyring = await keyringOf(cli, session);
  const opened = await openConnection(
    db,
    { brandId: connection.brandId, connectionId: connection.id },
    keyring,
  );
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const result = await checkConnection({ connection: opened, db, sealer: keyring.sealer, signal }, now);
  const which = { brandId: connection.brandId, connectionId: connection.id };
  await db.transaction(async (tx) => {
    await saveScopes(tx, which, result.scopes, now);
    await recordAction(tx, {
      action: 'connections.check',
      ...{ brandId: connection.brandId, target: connection.name },
      ...{ before: { scopes: connection.grantedScopes }, after: { scopes: result.scopes } },
    });
  });
  return result;
}
