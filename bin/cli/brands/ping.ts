/** `brands set-ping` */
import type { Command } from 'commander';
import { isSafeAddress } from '#runtime/addresses.ts';
import { PingRefused, setPing } from '#sql/alerts/pings.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';
import { readAddress } from '../ui/secret_input.ts';

type Options = { urlEnv?: string; none?: boolean };

export function addPing(command: Command, cli: Cli): void {
  command
    .command('set-ping')
    .description(
      'store the address that is told when the figures of a day are final, so that an outside watch notices silence',
    )
    .argument('<slug>', 'the brand')
    .option(
      '--url-env <variable>',
      'environment variable with the address; without it, the address is read from standard input',
    )
    .option('--none', 'nobody is told any more')
    .action(async (name: string, { urlEnv, none }: Options) => {
      if (none && urlEnv !== undefined)
        throw new UsageError('An address, or none?', 'leave --none or --url-env out');
      const address = none ? null : await readAddress(urlEnv === undefined ? {} : { urlEnv }, cli);
      if (address !== null && !isSafeAddress(address)) throw new PingRefused();
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, name);
      const { sealer } = await keyringOf(cli, session);
      await session.db.transaction((tx) => setPing(tx, sealer, id, address));
      const host = address === null ? null : new URL(address).host;
      cli.out.record({ brand: name, ping: host }, () => [
        host === null
          ? `Nobody is told any more that ${name} is final.`
          : `${host} is told once the figures of a day of ${name} are final, and not before.`,
      ]);
    });
}
