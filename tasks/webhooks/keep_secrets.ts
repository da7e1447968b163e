/** Secrets that a connection's key contains, when it gets another one. */
import type { ProviderKeyring } from '#connectors/providers.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { SecretKeyUnknown, SecretUnreadable } from '#sql/tenants/secrets.ts';
import { addSecret, receiverOf } from '#sql/webhooks/secrets.ts';

/** Providers sign with the one of before for an hour after it was replaced. */
const HOURS = 2;

/** Before the key is replaced: what it contains goes on to verify for a while. Returns how many secrets that are. */
export async function keepOwnSecrets(
  tx: Tx,
  { sealer, providers }: Pick<ProviderKeyring, 'sealer' | 'providers'>,
  key: ConnectionKey,
  next: { auth: string; secret: string },
): Promise<number> {
  const receiver = await receiverOf(tx, key);
  const { ownSecrets } = (receiver && providers.providerOf(receiver.provider).webhook) ?? {};
  if (receiver === undefined || ownSecrets === undefined) return 0;
  const { name, auth } = receiver;
  let secret: string;
  try {
    secret = sealer.open(receiver.key, { ...key, name, use: 'secret' });
  } catch (error) {
    // It is replaced because nobody can open it.
    if (error instanceof SecretKeyUnknown || error instanceof SecretUnreadable) return 0;
    throw error;
  }
  const kept = ownSecrets({ auth, secret }).filter((one) => !ownSecrets(next).includes(one));
  for (const one of kept)
    await addSecret(tx, sealer, { ...key, name, secret: one, only: false, hours: HOURS });
  return kept.length;
}
