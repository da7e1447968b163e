/** The connections behind addresses, with their opened secrets, remembered for some seconds. */
import type { Provider } from '#connectors/kit/provider.ts';
import type { Webhook } from '#connectors/kit/webhook.ts';
import type { ProviderKeyring } from '#connectors/providers.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { type Receiver, receiversOf, receiversOfAccount } from '#sql/webhooks/secrets.ts';
import { signingSecrets } from '#tasks/webhooks/signing_secrets.ts';
import { makeAddresses } from './addresses.ts';
import { type Bucket, makeBucket } from './bucket.ts';

/** A removed connection or a dropped secret is believed for so long. */
const KNOWN_MS = 5_000;
/** A signature that does not fit makes it look again after this time: the secret may be new. */
const DOUBTED_MS = 1_000;
const KNOWN_MAX = 10_000;
/** Verified deliveries of one connection. */
const DELIVERIES_PER_SECOND = 500;
const DELIVERIES_AT_ONCE = 1_000;

export type Delivering = Provider & { webhook: Webhook };
export type Address = { provider: Delivering; connectionId: string };

export type Known = ConnectionKey & { account: string; secrets: readonly string[] };

export type Found = { receivers: readonly Known[]; bucket: Bucket };

export type Receivers = {
  /** None if nobody has the address. `isDoubted`: what is remembered did not fit. */
  find(address: Address, isDoubted?: boolean): Promise<Found>;
  /** Those with an account, of whatever brand. Never remembered. */
  findAccount(provider: Delivering, account: string): Promise<readonly Known[]>;
};

export function isDelivering(provider: Provider): provider is Delivering {
  return provider.webhook !== undefined;
}

export function makeReceivers(db: Db, { sealer, providers }: ProviderKeyring, log: Log): Receivers {
  const known = new Map<string, Promise<Found>>();
  const ages = new Map<string, number>();
  const addresses = makeAddresses(
    db,
    providers.providers.filter(isDelivering).map(({ name }) => name),
  );

  const open = ({ webhook }: Delivering, rows: readonly Receiver[]): Known[] =>
    rows.map((row) => {
      const { brandId, connectionId, account } = row;
      return { brandId, connectionId, account, secrets: signingSecrets(webhook, row, { sealer, log }) };
    });

  const look = async ({ provider, connectionId }: Address, bucket: Bucket): Promise<Found> => {
    const rows = await receiversOf(db, { provider: provider.name, connectionId });
    return { receivers: open(provider, rows), bucket };
  };

  return {
    async find(address, isDoubted = false) {
      const name = `${address.provider.name} ${address.connectionId}`;
      const before = known.get(name);
      const age = performance.now() - (ages.get(name) ?? Number.NEGATIVE_INFINITY);
      if (before && age < (isDoubted ? DOUBTED_MS : KNOWN_MS)) return before;
      const bucket =
        (await before?.catch(() => undefined))?.bucket ??
        makeBucket(DELIVERIES_PER_SECOND, DELIVERIES_AT_ONCE);
      if (!before && !(await addresses.has(address.connectionId))) return { receivers: [], bucket };
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
    findAccount: async (provider, account) =>
      open(provider, await receiversOfAccount(db, { provider: provider.name, account })),
  };

  function forget(name: string): void {
    known.delete(name);
    ages.delete(name);
  }
}
