/** Who may deliver: the connection behind an address, and the secrets that verify its deliveries. */
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '../db/pool.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { Sealer } from '../tenants/secrets.ts';

/** While one is replaced there are two, and some to spare. */
const SECRETS_MAX = 5;
/** Brands with one account. */
const OF_ACCOUNT_MAX = 20;

/** A connection that takes deliveries. */
export type Receiver = ConnectionKey & {
  name: string;
  provider: string;
  account: string;
  auth: string;
  /** That of the connection itself, sealed. */
  key: { sealed: Buffer; keyId: string };
  secrets: readonly { sealed: Buffer; keyId: string }[];
};

const VERIFYING = `
  from app.webhook_secrets s
  where s.brand_id = c.brand_id and s.connection_id = c.id and coalesce(s.ends_at > now(), true)
  order by s.added_at, s.id`;
const RECEIVER = `
    select c.brand_id, c.id as connection_id, c.name, c.provider, c.account, c.auth, c.secret, c.secret_key_id,
           array(select s.secret ${VERIFYING}) as secrets, array(select s.secret_key_id ${VERIFYING}) as key_ids
    from app.connections c`;
/** Ids are random, so there is one or none; nothing forbids two brands the same, and then the secret decides. */
const RECEIVERS = {
  name: 'receivers of an address',
  text: `${RECEIVER} where c.id = $1 and c.provider = $2 and c.removing_at is null limit 3`,
};

type Row = {
  brand_id: string;
  connection_id: string;
  name: string;
  provider: string;
  account: string;
  auth: string;
  secret: Buffer;
  secret_key_id: string;
  secrets: Buffer[];
  key_ids: string[];
};

export async function receiversOf(
  db: Pick<Db, 'query'>,
  { connectionId, provider }: { connectionId: string; provider: string },
): Promise<Receiver[]> {
  const { rows } = await db.query<Row>(RECEIVERS, [connectionId, provider]);
  return rows.map(receiver);
}

/** Of whatever brand: whose secret has signed what it is asked for, the caller finds out. */
export async function receiversOfAccount(
  db: Pick<Db, 'query'>,
  { account, provider }: { account: string; provider: string },
): Promise<Receiver[]> {
  const { rows } = await db.query<Row>(
    `${RECEIVER} where c.provider = $1 and lower(c.account) = lower($2) and c.removing_at is null
     order by c.brand_id, c.id limit ${OF_ACCOUNT_MAX}`,
    [provider, account],
  );
  return rows.map(receiver);
}

/** The ids of all connections of some providers, page by page. */
export async function connectionsOf(
  db: Pick<Db, 'query'>,
  providers: readonly string[],
  { after, max }: { after: string; max: number },
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(CONNECTIONS, [providers, after, max]);
  return rows.map(({ id }) => id);
}

const CONNECTIONS = {
  name: 'connections that may be addressed',
  text: `select id from app.connections where provider = any ($1::text[]) and id > $2 and removing_at is null
         order by id limit $3`,
};

/** Undefined if it is gone. */
export async function receiverOf(
  db: Pick<Db, 'query'>,
  { brandId, connectionId }: ConnectionKey,
): Promise<Receiver | undefined> {
  const { rows } = await db.query<Row>(`${RECEIVER} where c.brand_id = $1 and c.id = $2`, [
    brandId,
    connectionId,
  ]);
  return rows.map(receiver)[0];
}

function receiver(row: Row): Receiver {
  const { name, provider, account, auth } = row;
  return {
    ...{ brandId: row.brand_id, connectionId: row.connection_id, name, provider, account, auth },
    key: { sealed: row.secret, keyId: row.secret_key_id },
    secrets: row.secrets.map((sealed, index) => ({ sealed, keyId: row.key_ids[index] ?? '' })),
  };
}

export class SecretsFull extends coded('NS_WEBHOOK_SECRETS_FULL') {
  constructor(name: string) {
    super(`Connection ${name} has ${SECRETS_MAX} webhook secrets already.`, {
      hint: `Drop those that are out of use: npx nightshift connections webhooks secret ${name} --only`,
      context: { connection: name },
    });
  }
}

export type NewSecret = ConnectionKey & {
  name: string;
  secret: string;
  /** From now on only this one verifies. */
  only: boolean;
  /** The subscription that it came with; it takes the place of an earlier one of it. */
  of?: string;
  /** It verifies for so long only. */
  hours?: number;
};

/** Adds a secret beside those that verify already, or in their place. Returns how many there are. */
export async function addSecret(
  tx: Tx,
  sealer: Sealer,
  { brandId, connectionId, name, secret, only, of, hours }: NewSecret,
): Promise<number> {
  await keepConnection(tx, { brandId, connectionId });
  const key = [brandId, connectionId];
  await tx.query(
    `delete from app.webhook_secrets where brand_id = $1 and connection_id = $2 and ($3 or ends_at <= now())`,
    [...key, only],
  );
  if (of !== undefined) await dropSecrets(tx, { brandId, connectionId }, [of]);
  const { sealed, keyId } = sealer.seal(secret, { brandId, connectionId, use: 'webhook' });
  await tx.query(
    `insert into app.webhook_secrets (brand_id, connection_id, secret, secret_key_id, subscription_id, added_at, ends_at)
     values ($1, $2, $3, $4, $5, clock_timestamp(), now() + make_interval(hours => $6))`,
    [...key, sealed, keyId, of ?? null, hours ?? null],
  );
  const { rows } = await tx.query<{ n: number }>(
    `select count(*) as n from app.webhook_secrets
     where brand_id = $1 and connection_id = $2 and ends_at is null`,
    key,
  );
  const count = rows[0]?.n ?? 0;
  if (count > SECRETS_MAX) throw new SecretsFull(name);
  return count;
}

/** Those that came with subscriptions that are gone. */
export async function dropSecrets(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  subscriptions: readonly string[],
): Promise<void> {
  await tx.query(
    `delete from app.webhook_secrets
     where brand_id = $1 and connection_id = $2 and subscription_id = any ($3::text[])`,
    [brandId, connectionId, subscriptions],
  );
}

/** What a person or a provider has given, opened, the newest first. */
export async function openSecrets(
  db: Pick<Db, 'query'>,
  sealer: Sealer,
  { brandId, connectionId, name }: ConnectionKey & { name: string },
): Promise<{ secret: string; of: string | null }[]> {
  const { rows } = await db.query<{ sealed: Buffer; keyId: string; of: string | null }>(
    `select secret as sealed, secret_key_id as "keyId", subscription_id as "of" from app.webhook_secrets
     where brand_id = $1 and connection_id = $2 order by added_at desc, id`,
    [brandId, connectionId],
  );
  const place = { brandId, connectionId, name, use: 'webhook' } as const;
  return rows.map(({ sealed, keyId, of }) => ({ secret: sealer.open({ sealed, keyId }, place), of }));
}
