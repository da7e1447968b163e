/** `connections key` and `connections reseal` */
import type { Command } from 'commander';
import { replaceSecret } from '#sql/connections.ts';
import { resealAll } from '#sql/secrets.ts';
import type { Cli } from '../cli.ts';
import { findTheConnection } from '../find_connection.ts';
import { count } from '../format.ts';
import { keyringOf } from '../keyring.ts';
import { readKey } from '../secret_input.ts';
import { openSession } from '../session.ts';
import { releaseIn } from './hold.ts';
import { storedKey } from './stored_key.ts';

export function addKey(command: Command, cli: Cli): void {
  command
    .command('key')
    .description('store a new key, from --key-env or standard input; a held connection is released by it')
    .argument('<name>', 'the connection, or its id')
    .option('--brand <brand>', 'whose it is')
    .option(
      '--key-env <variable>',
      'environment variable that holds the key; else it is read from standard input',
    )
    .action(async (name: string, { brand, keyEnv }: { brand?: string; keyEnv?: string }) => {
      const key = await readKey({ keyEnv }, cli.env);
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      const secret = storedKey({ ...connection, key });
      const { sealer } = await keyringOf(cli, session);
      const which = { brandId: connection.brandId, connectionId: connection.id };
      const { released, jobs } = await session.db.transaction(async (tx) => {
        await replaceSecret(tx, sealer, which, secret);
        return releaseIn(tx, connection);
      });
      const also = released ? ` It is released; ${count(jobs, 'job')} put back.` : '';
      cli.out.record({ connection: connection.name, released, jobs }, () => [
        `${connection.name} has a new key.${also}`,
      ]);
    });
}

export function addReseal(command: Command, cli: Cli): void {
  command
    .command('reseal')
    .description('seal every stored key with the first of NIGHTSHIFT_SECRET_KEYS, so that older ones can go')
    .action(async () => {
      await using session = await openSession(cli);
      const { sealer } = await keyringOf(cli, session);
      const connections = await resealAll(session.db, sealer);
      cli.out.record({ connections, key_id: sealer.keyId ?? null }, () => [
        `${count(connections, 'connection')} sealed anew with key ${sealer.keyId}.`,
      ]);
    });
}
