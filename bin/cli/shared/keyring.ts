/** Opens and seals the keys of connections, and knows the hosts that they may be sent to. */
import { makeKeyring, type ProviderKeyring } from '#connectors/providers.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import type { Cli } from './noun.ts';
import { secretKeysOf } from './secret_keys.ts';
import type { Session } from './session.ts';

export async function keyringOf(cli: Cli, { config }: Pick<Session, 'config'>): Promise<ProviderKeyring> {
  return makeKeyring(sealer(await secretKeysOf(config, cli.out.say)), config.allowedHosts);
}
