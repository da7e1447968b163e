/** What the verbs about subscriptions have in common: the opened connection, and the address of the web server. */
import { builtIn } from '#connectors/providers.ts';
import { isSafeBase, withoutEndingSlashes } from '#runtime/addresses.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { addressOf as addedFor } from '#sql/webhooks/addresses.ts';
import type { Subscriber } from '#tasks/webhooks/subscriptions.ts';
import { type Found, findTheConnection } from '../../shared/find_connection.ts';
import { keyringOf } from '../../shared/keyring.ts';
import type { Cli } from '../../shared/noun.ts';
import type { Session } from '../../shared/session.ts';
import { UsageError } from '../../ui/errors.ts';

const TIMEOUT_MS = 120_000;

export type Options = { brand?: string; url?: string; dryRun?: boolean };

export const URL_OPTION = [
  '--url <address>',
  'where providers reach the web server; by default NIGHTSHIFT_PUBLIC_URL, else that of the last add',
] as const;

export type Opened = { subscriber: Subscriber; label: string };

/** `needsUrl`: the verb cannot do without the address. */
export async function openSubscriber(
  cli: Cli,
  session: Session,
  name: string,
  { brand, url }: Options,
  needsUrl = true,
): Promise<Opened> {
  const found = await findTheConnection(session.db, name, brand);
  const provider = (cli.io.providers ?? builtIn).providerOf(found.connection.provider);
  const { webhooks } = provider;
  if (webhooks === undefined)
    throw new UsageError(
      `${provider.title} is told on its own pages where to deliver.`,
      'npx nightshift connections webhooks secret prints the path',
    );
  const { brandId, id: connectionId } = found.connection;
  const known = await addedFor(session.db, { brandId, connectionId });
  const baseUrl = addressOf(url ?? session.config.publicUrl ?? known, needsUrl);
  const keyring = await keyringOf(cli, session);
  const connection = await openConnection(session.db, { brandId, connectionId }, keyring);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { db } = session;
  const { sealer } = keyring;
  const subscriber = { db, sealer, provider, webhooks, connection, baseUrl, signal };
  return { subscriber, label: labelOf(found) };
}

function labelOf({ brand, connection }: Found): string {
  return `${connection.name} --brand ${brand.slug}`;
}

function addressOf(given: string | undefined, isNeeded: boolean): string {
  if (given === undefined && !isNeeded) return '';
  if (given === undefined)
    throw new UsageError(
      'It is not known where providers reach the web server.',
      'say it with --url https://…, or once for all with NIGHTSHIFT_PUBLIC_URL',
    );
  if (!isSafeBase(given))
    throw new UsageError(
      'That is no address for providers.',
      '--url takes https://, or http:// of this machine, without a query',
    );
  return withoutEndingSlashes(given);
}
