/** Connections: each is one account of one provider, with its sealed key. */
import { coded } from '#runtime/errors.ts';
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { ConnectionGone } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import { formerIdOf } from '../privacy/erased_accounts.ts';
import { recordAction } from './audit.ts';
import { assertTimeZone, only } from './brands.ts';
import { checkedBaseUrl, type ProviderAddress } from './hosts.ts';
import { named, taking } from './names.ts';
import { ConnectionBeingRemoved, keepBrand, keepRetailer } from './removing.ts';
import type { Sealer } from './secrets.ts';

/** A connection without its secrets. */
export type Connection = {
  id: string;
  brandId: string;
  retailerId: string | null;
  name: string;
  provider: string;
  /** Its name at the provider: the shop, the account id. */
  account: string;
  baseUrl: string;
  /** How its key is used: token, client_credentials… */
  auth: string;
  /** The limit of the account, if it differs from the usual limit of the provider. */
  requestsPerSecond: number | null;
  /** The zone of the account's own calendar days, if it is not the brand's. */
  accountZone: string | null;
  grantedScopes: string[] | null;
  checkedAt: Date | null;
  /** Set while a person must act. */
  heldAt: Date | null;
  heldCode: string | null;
  heldReason: string | null;
  /** Since when it is being removed, for good. */
  removingAt: Date | null;
};

/** A connection that is ready to use. */
export type OpenConnection = Connection & {
  /** Short name of the brand; a person types it together with `name`. */
  brand: string;
  secret: string;
  timeZone: string;
  /** When the owner of the key was checked with the provider; null if it was not yet. */
  accountAskedAt?: Date | null;
  /** When the key was last replaced, to the microsecond. */
  secretChangedAt?: string | null;
  /** Whether digests of e-mail addresses may be made of protected fields. */
  readsPersons?: boolean;
};

export type Keyring = {
  sealer: Sealer;
  allowedHosts: readonly string[];
  addressOf(provider: string): ProviderAddress;
};

export type NewConnection = {
  brandId: string;
  /** Required if connections of the provider belong to a retailer. */
  retailerId?: string | null;
  name: string;
  provider: string;
  account: string;
  /** Defaults to the provider's own address. */
  baseUrl?: string;
  auth: string;
  secret: string;
  requestsPerSecond?: number;
  accountZone?: string;
  actor?: string;
};

/** A connection, and who acts on it. */
export type Which = ConnectionKey & { actor?: string };

const COLUMNS = `c.id, c.brand_id as "brandId", c.retailer_id as "retailerId", c.name, c.provider, c.account,
  c.base_url as "baseUrl", c.auth, c.requests_per_second as "requestsPerSecond",
  c.account_zone as "accountZone",
  c.granted_scopes as "grantedScopes", c.checked_at as "checkedAt", c.held_at as "heldAt", c.held_code as "heldCode", c.held_reason as "heldReason",
  c.removing_at as "removingAt"`;

export class AccountTaken extends coded('NS_ACCOUNT_TAKEN') {
  constructor(provider: string, account: string) {
    super(
      `The brand has a connection to ${account} of ${provider} already: two would count its sales twice.`,
      {
        hint: 'See it: npx nightshift connections list; give it to another retailer: npx nightshift connections move NAME --brand BRAND --retailer RETAILER',
        context: { provider, account },
      },
    );
  }
}

export async function addConnection(
  tx: Tx,
  keyring: Keyring,
  connection: NewConnection,
): Promise<Connection> {
  const { brandId, retailerId = null, name, provider, account, auth, secret, actor } = connection;
  const { requestsPerSecond = null, accountZone = null } = connection;
  const owner = keyring.addressOf(provider);
  if (accountZone !== null) await assertTimeZone(tx, accountZone);
  const baseUrl = checkedBaseUrl(owner, connection.baseUrl ?? owner.baseUrl(account), keyring.allowedHosts);
  await (retailerId === null ? keepBrand(tx, brandId) : keepRetailer(tx, brandId, retailerId));
  // Made here, because it is part of the seal; the former one, because erased persons are known by it.
  const id = (await formerIdOf(tx, connection)) ?? crypto.randomUUID();
  const { sealed, keyId } = keyring.sealer.seal(secret, { brandId, connectionId: id, use: 'secret' });
  const { rows } = await taking('connection', name, () =>
    tx
      .query<Connection>(
        `insert into app.connections as c
           (brand_id, id, retailer_id, name, provider, account, base_url, auth, secret, secret_key_id,
            requests_per_second, level, account_zone)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ${COLUMNS}`,
        [
          brandId,
          id,
          retailerId,
          name,
          provider,
          account,
          baseUrl,
          auth,
          sealed,
          keyId,
          requestsPerSecond,
          owner.level,
          accountZone,
        ],
      )
      .catch((error) => {
        throw error.constraint === 'account_once' ? new AccountTaken(provider, account) : error;
      }),
  );
  const after = { provider, account, baseUrl, auth, retailerId, requestsPerSecond, accountZone };
  await recordAction(tx, { action: 'connections.add', brandId, target: name, after, actor });
  return only(rows);
}

export async function listConnections(db: Reader, brandId: string): Promise<Connection[]> {
  const { rows } = await db.query<Connection>(
    `select ${COLUMNS} from app.connections c where c.brand_id = $1 order by c.name`,
    [brandId],
  );
  return rows;
}

export async function findConnection(db: Reader, brandId: string, name: string): Promise<Connection> {
  return named('connection', name, await listConnections(db, brandId), (connection) => connection.name);
}

/** Opens its secret. The address is checked again, because the operator may have withdrawn a host since. */
export async function openConnection(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  { sealer, allowedHosts, addressOf }: Keyring,
): Promise<OpenConnection> {
  const { rows } = await db.query<Omit<OpenConnection, 'secret'> & { sealed: Buffer; keyId: string }>(
    `select ${COLUMNS}, c.secret as sealed, c.secret_key_id as "keyId", b.slug as brand, b.time_zone as "timeZone",
            c.account_asked_at as "accountAskedAt", c.secret_changed_at::text as "secretChangedAt",
            c.reads_persons as "readsPersons"
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2`,
    [brandId, connectionId],
  );
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(brandId, connectionId);
  if (row.removingAt) throw new ConnectionBeingRemoved(row.name, row.brand);
  const { sealed, keyId, ...connection } = row;
  checkedBaseUrl(addressOf(connection.provider), connection.baseUrl, allowedHosts);
  const place = { brandId, connectionId, use: 'secret', name: connection.name } as const;
  return { ...connection, secret: sealer.open({ sealed, keyId }, place) };
}

/** Stops jobs from using it until a person acts. The first reason stays. */
export async function holdConnection(
  tx: Tx,
  { brandId, connectionId, actor }: Which,
  { code, reason, now }: { code: string; reason: string; now: Date },
): Promise<void> {
  const { rows } = await tx.query<{ name: string }>(
    `update app.connections set held_at = $3, held_code = $4, held_reason = $5, held_by_failure = null
     where brand_id = $1 and id = $2 and held_at is null returning name`,
    [brandId, connectionId, now, code, scrub(reason)],
  );
  const [row] = rows;
  if (row === undefined) return;
  const [before, after] = [{ held: null }, { held: { code, reason } }];
  await recordAction(tx, { action: 'connections.hold', brandId, target: row.name, before, after, actor });
}

/** True if it was held. The caller requeues its parked jobs in the same transaction. */
export async function releaseConnection(tx: Tx, { brandId, connectionId, actor }: Which): Promise<boolean> {
  const { rows } = await tx.query<Held>(
    `select c.name, b.slug as brand, c.removing_at as "removingAt", c.held_code as code, c.held_reason as reason
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2 and c.held_at is not null for no key update of c`,
    [brandId, connectionId],
  );
  const [row] = rows;
  if (row === undefined) return false;
  if (row.removingAt) throw new ConnectionBeingRemoved(row.name, row.brand);
  await tx.query(
    `update app.connections set held_at = null, held_code = null, held_reason = null, held_by_failure = null
     where brand_id = $1 and id = $2`,
    [brandId, connectionId],
  );
  const [before, after] = [{ held: { code: row.code, reason: row.reason } }, { held: null }];
  await recordAction(tx, { action: 'connections.release', brandId, target: row.name, before, after, actor });
  return true;
}

type Held = {
  name: string;
  brand: string;
  removingAt: Date | null;
  code: string | null;
  reason: string | null;
};

/** Stores another key, or another way of using it; a token that was made with the old one is deleted. */
export async function replaceSecret(
  tx: Tx,
  sealer: Sealer,
  { brandId, connectionId, actor, auth }: Which & { auth?: string | undefined },
  secret: string,
): Promise<void> {
  const { sealed, keyId } = sealer.seal(secret, { brandId, connectionId, use: 'secret' });
  const { rows } = await tx.query<{ name: string; before: KeyFacts; after: KeyFacts }>(
    `update app.connections c
     set secret = $3, secret_key_id = $4, token = null, token_key_id = null, token_expires_at = null,
         account_asked_at = null, secret_changed_at = clock_timestamp(), auth = coalesce($5, c.auth)
     from (
       select brand_id, id, jsonb_build_object('auth', auth, 'keyChangedAt', secret_changed_at) as facts
       from app.connections where brand_id = $1 and id = $2 for no key update
     ) was
     where c.brand_id = was.brand_id and c.id = was.id
     returning c.name, was.facts as before,
               jsonb_build_object('auth', c.auth, 'keyChangedAt', c.secret_changed_at) as after`,
    [brandId, connectionId, sealed, keyId, auth ?? null],
  );
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(brandId, connectionId);
  const { name, before, after } = row;
  await recordAction(tx, { action: 'connections.key', brandId, target: name, before, after, actor });
}

/** What may be shown of a key. */
type KeyFacts = { auth: string; keyChangedAt: string | null };

export type Changing = {
  name: string;
  brand: string;
  level: 'retailer' | 'brand';
  retailer_id: string | null;
  time_zone: string;
};

/** Locks a connection whose rows are to belong to somebody else: loads come wholly before the change or after it. */
export async function lockForChange(tx: Tx, brandId: string, connectionId: string): Promise<Changing> {
  const { rows } = await tx.query<Changing & { removing: boolean }>(
    `select c.name, b.slug as brand, c.level, c.retailer_id, b.time_zone, c.removing_at is not null as removing
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2 for update of c for key share of b`,
    [brandId, connectionId],
  );
  const [found] = rows;
  if (found === undefined) throw new ConnectionGone(brandId, connectionId);
  if (found.removing) throw new ConnectionBeingRemoved(found.name, found.brand);
  return found;
}
