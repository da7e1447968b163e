/** The connections behind addresses, with their opened secrets, remembered for some seconds. */

import type { Provider } from '#connectors/kit/provider.ts';
import type { Webhook } from '#connectors/kit/webhook.ts';
import type { ProviderKeyring } from '#connectors/providers.ts';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { type Receiver, receiversOf } from '#sql/webhooks/secrets.ts';
import { type Bucket, makeBucket } from './bucket.ts';

/** A removed connection or a dropped secret is believed for so long. */
const KNOWN_MS = 5_000;
/** A signature that does not fit makes it look again after this time: the secret may be new. */
const DOUBTED_MS = 1_000;
const KNOWN_MAX = 10_000;
/** Of addresses that are not remembered, so that guesses cost the database little. */
const LOOKS_PER_SECOND = 100;
/** Verified deliveries of one connection. */
const DELIVERIES_PER_SECOND = 500;
const DELIVERIES_AT_ONCE = 1_000;

export type Address = { provider: Provider & { webhook: Webhook }; connectionId: string };

export type Known = ConnectionKey & { secrets: readonly string[] };

/** `at`: when the database was asked. */
export type Found = { receivers: readonly Known[]; bucket: Bucket; at: number };

export type Receivers = {
  /** Undefined if the database is asked too often. `isDoubted`: what is remembered did not fit. */
  find(address: Address, isDoubted?: boolean): Promise<Found | undefined>;
};

export function makeReceivers(db: Db, { sealer }: ProviderKeyring, log: Log): Receivers {
  const known = new Map<string, Promise<Found>>();
  const ages = new Map<string, number>();
  const looks = makeBucket(LOOKS_PER_SECOND, LOOKS_PER_SECOND);

  const secretsOf = (webhook: Webhook, { brandId, connectionId, name, auth, key, secrets }: Receiver) => {
    const place = { brandId, connectionId, name };
    const opened = secrets.map((one) => sealer.open(one, { ...place, use: 'webhook' }));
    const own = webhook.ownSecrets?.({ auth, secret: sealer.open(key, { ...place, use: 'secret' }) }) ?? [];
    return [...opened, ...own];
  };

  const look = async ({ provider, connectionId }: Address, bucket: Bucket): Promise<Found> => {
    const rows = await receiversOf(db, { provider: provider.name, connectionId });
    const receivers = rows.flatMap((row) => {
      const { brandId, connectionId: id, name } = row;
      try {
        return [{ brandId, connectionId: id, secrets: secretsOf(provider.webhook, row) }];
      } catch (error) {
        log.error({ connection: name, reason: messageOf(error) }, 'a webhook secret cannot be opened');
        throw error; // the provider repeats the delivery
      }
    });
    return { receivers, bucket, at: performance.now() };
  };

  return {
    async find(address, isDoubted = false) {
      const name = `${address.provider.name} ${address.connectionId}`;
      const before = known.get(name);
      const age = performance.now() - (ages.get(name) ?? Number.NEGATIVE_INFINITY);
      if (before && age < (isDoubted ? DOUBTED_MS : KNOWN_MS)) return before;
      if (!before && !looks.take()) return undefined;
      const bucket =
        (await before?.catch(() => undefined))?.bucket ??
        makeBucket(DELIVERIES_PER_SECOND, DELIVERIES_AT_ONCE);
      const looking = look(address, bucket);
      known.delete(name); // to the end, as the newest
      known.set(name, looking);
      ages.set(name, performance.now());
      looking.then(
        ({ receivers }) => receivers.length === 0 && forget(name),
        () => forget(name),
      );
      for (const [oldest] of known) {
        if (known.size <= KNOWN_MAX) break;
        forget(oldest);
      }
      return looking;
    },
  };

  function forget(name: string): void {
    known.delete(name);
    ages.delete(name);
  }
}
