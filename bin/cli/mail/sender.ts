/** `mail sender` */
import type { Command } from 'commander';
import type { Mail } from '#connectors/kit/mail.ts';
import { readSender, type Sender, SenderMissing, setSender } from '#sql/mail/senders.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Connection } from '#sql/tenants/connections.ts';
import { checkedAddress } from '#tasks/mail/templates.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { title, wholeNumber } from '../ui/arguments.ts';
import { mailOf } from './find.ts';

const GROUP_MAX = 999_999_999;

/** `group` is false for none. */
type Options = { brand?: string; from?: string; name?: string; group?: number | false };

export function addSender(command: Command, cli: Cli): void {
  whichConnection(command.command('sender'))
    .description('say as whom letters of a connection are sent, or show it; what is not given stays as it is')
    .option('--from <address>', 'address that the provider lets you send from')
    .option('--name <name>', 'name beside it', title)
    .option('--group <number>', 'unsubscribe group of its letters', wholeNumber(1, GROUP_MAX))
    .option('--no-group', 'no unsubscribe group')
    .action((name: string, options: Options) => sender(cli, name, options));
}

async function sender(cli: Cli, name: string, { brand, from, name: shown, group }: Options): Promise<void> {
  const address = from === undefined ? undefined : checkedAddress(from);
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, brand);
  const { scopes } = mailOf(cli, connection);
  const key = { brandId: connection.brandId, connectionId: connection.id };
  const before = await readSender(session.db, key);
  const after = changed(before, { address, name: shown, group });
  if (after === undefined) throw new SenderMissing(connection.name);
  if (address === undefined && shown === undefined && group === undefined)
    return cli.out.record({ connection: connection.name, ...after }, () => [lineOf(connection.name, after)]);
  await session.db.transaction(async (tx) => {
    await setSender(tx, key, after);
    await recordAction(tx, {
      action: 'mail.sender',
      ...{ brandId: key.brandId, target: connection.name },
      ...{ ...(before && { before }), after },
    });
  });
  cli.out.record({ connection: connection.name, ...after }, () => [lineOf(connection.name, after)]);
  for (const line of lacking(connection, scopes)) cli.out.say(line);
}

type Given = { address: string | undefined; name: string | undefined; group: number | false | undefined };

/** What is stored, and over it what is given; undefined without an address. */
function changed(before: Sender | undefined, { address, name, group }: Given): Sender | undefined {
  const from = address ?? before?.address;
  if (from === undefined) return undefined;
  const groupId = group === undefined ? (before?.groupId ?? null) : group === false ? null : String(group);
  return { address: from, name: name ?? before?.name ?? null, groupId };
}

/** As far as its permissions are known. */
function lacking({ grantedScopes, name }: Connection, { send, lookUp }: Mail['scopes']): string[] {
  if (grantedScopes === null)
    return [`What its key may do is not known yet. Next: npx nightshift connections check ${name}`];
  if (!grantedScopes.includes(send)) return [`Its key lacks ${send}: every letter will fail.`];
  if (grantedScopes.includes(lookUp)) return [];
  return [`Its key lacks ${lookUp}: a letter whose attempt is interrupted may become uncertain.`];
}

function lineOf(connection: string, { address, name, groupId }: Sender): string {
  const who = name === null ? address : `${name} <${address}>`;
  return `Letters of ${connection} are from ${who}${groupId === null ? '' : `, in unsubscribe group ${groupId}`}.`;
}
