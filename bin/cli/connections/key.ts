/** `connections key` and `connections reseal` */
import { type Command, Option } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { resealAll } from '#sql/tenants/reseal.ts';
import { keepOwnSecrets } from '#tasks/webhooks/keep_secrets.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { alsoSealed, count } from '../ui/format.ts';
import { readKey } from '../ui/secret_input.ts';
import { releaseIn } from './hold.ts';
import { AUTHS, authOf, storedKey } from './stored_key.ts';

type KeyOptions = { brand?: string; keyEnv?: string; auth?: string };

export function addKey(command: Command, cli: Cli): void {
  whichConnection(command.command('key'))
    .description('store a new key, or another way to use it; this releases a held connection')
    .option(
      '--key-env <variable>',
      'environment variable with the key; without it, the key is read from standard input',
    )
    .addOption(new Option('--auth <kind>', 'how the key is used from now on').choices(AUTHS))
    .action(async (name: string, { brand, keyEnv, auth: wanted }: KeyOptions) => {
      const key = await readKey({ keyEnv }, cli);
      await using session = await openSession(cli);
      const { brand: owner, connection } = await findTheConnection(session.db, name, brand);
      const { provider } = connection;
      const auth = wanted === undefined ? undefined : authOf({ provider, auth: wanted });
      const secret = storedKey({ provider, auth: auth ?? connection.auth, key });
      const { sealer, providers } = await keyringOf(cli, session);
      const which = { brandId: connection.brandId, connectionId: connection.id };
      const { released, jobs } = await session.db.transaction(async (tx) => {
        await keepOwnSecrets(tx, { sealer, providers }, which, { auth: auth ?? connection.auth, secret });
        await replaceSecret(tx, sealer, { ...which, auth }, secret);
        return releaseIn(tx, connection);
      });
      const also = released ? ` It is released; ${count(jobs, 'job')} put back.` : '';
      const how = auth === undefined ? '' : `, used as ${auth}`;
      const row = { connection: connection.name, auth: auth ?? connection.auth, released, jobs };
      cli.out.record(row, () => [`${connection.name} has a new key${how}.${also}`]);
      cli.out.say(`Next: npx nightshift connections check ${connection.name} --brand ${owner.slug}`);
    });
}

export function addReseal(command: Command, cli: Cli): void {
  command
    .command('reseal')
    .description(
      'seal every stored key with the first key of NIGHTSHIFT_SECRET_KEYS, so that older ones can be dropped',
    )
    .action(async () => {
      await using session = await openSession(cli);
      const { sealer } = await keyringOf(cli, session);
      const { connections, pings, persons, mail, events } = await resealAll(session.db, sealer);
      await session.db.transaction((tx) =>
        recordAction(tx, {
          action: 'connections.reseal',
          ...{ target: 'connections' },
          ...{ after: { keyId: sealer.keyId }, details: { connections, pings, persons, mail, events } },
        }),
      );
      const also = alsoSealed({ pings, mail });
      cli.out.record({ connections, pings, persons, mail, events, key_id: sealer.keyId ?? null }, () => [
        `${count(connections, 'connection')}${also} sealed anew with key ${sealer.keyId}.`,
      ]);
    });
}
