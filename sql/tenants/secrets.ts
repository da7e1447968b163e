/**
 * Secrets of connections, and addresses of pings, sealed with AES-256-GCM before they reach the database. Owner and use
 * are authenticated with the secret, so a sealed secret opens for no other. The first key seals, every key opens: to rotate a key, put a
 * new one in front, reseal, and then remove the old one.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { SecretKey } from '#runtime/config.ts';
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '../db/pool.ts';

export type Sealed = { sealed: Buffer; keyId: string };

/** The owner of a secret and its use. */
export type SecretPlace = {
  brandId: string;
  /** Empty for what belongs to the brand itself. */
  connectionId: string;
  use: 'secret' | 'token' | 'webhook' | 'ping' | 'persons' | 'person';
  /** The name of the connection or the brand, for messages. */
  name?: string;
};

function said({ brandId, connectionId, use, name }: SecretPlace): { what: string; anew: string } {
  if (use === 'ping')
    return { what: `ping address of brand ${name ?? brandId}`, anew: 'npx nightshift brands set-ping' };
  if (use === 'persons')
    return {
      what: `key of the persons of brand ${name ?? brandId}`,
      anew: 'it cannot be stored anew: digests of before would be of nobody',
    };
  if (use === 'person')
    return {
      what: `person of a privacy request of brand ${name ?? brandId}`,
      anew: 'npx nightshift privacy erase',
    };
  if (use === 'webhook')
    return {
      what: `webhook secret of connection ${name ?? connectionId}`,
      anew: 'npx nightshift connections webhooks secret',
    };
  return { what: `secret of connection ${name ?? connectionId}`, anew: 'npx nightshift connections key' };
}

export type Sealer = {
  /** The key that seals from now on. */
  readonly keyId: string | undefined;
  /** Whether it has this key. */
  has(keyId: string): boolean;
  seal(plain: string, place: SecretPlace): Sealed;
  open(sealed: Sealed, place: SecretPlace): string;
};

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class SecretKeysMissing extends coded('NS_SECRET_KEYS_MISSING') {
  constructor() {
    super('NIGHTSHIFT_SECRET_KEYS is not set, so secrets of connections can be neither sealed nor opened.', {
      hint: 'Set it to id:key with a key of 32 random bytes in base64: openssl rand -base64 32',
    });
  }
}

export class SecretKeyUnknown extends coded('NS_SECRET_KEY_UNKNOWN') {
  constructor(keyId: string, place: SecretPlace) {
    const { what, anew } = said(place);
    super(`The ${what} is sealed with key ${keyId}, which is not configured.`, {
      hint: `Put that key back into NIGHTSHIFT_SECRET_KEYS behind the first one, or store it anew: ${anew}`,
      context: { keyId, brandId: place.brandId, connectionId: place.connectionId },
    });
  }
}

export class SecretUnreadable extends coded('NS_SECRET_UNREADABLE') {
  constructor(keyId: string, place: SecretPlace) {
    const { what, anew } = said(place);
    super(`The stored ${what} is damaged, or key ${keyId} is not the one that sealed it.`, {
      hint: `Store it anew: ${anew}`,
      context: { keyId, brandId: place.brandId, connectionId: place.connectionId },
    });
  }
}

export class SecretKeysForeign extends coded('NS_SECRET_KEYS_FOREIGN') {
  constructor(wanted: readonly string[]) {
    super(`No stored secret can be opened here: all are sealed with ${wanted.join(', ')}.`, {
      hint: 'Set NIGHTSHIFT_SECRET_KEYS as on the machine that added the connections, or copy the file secret_keys from there; if it is lost: npx nightshift connections key',
      context: { wanted },
    });
  }
}

/** Refuses keys that open no stored secret at all: a worker with such keys would hold every connection. */
export async function assertKeysFit(db: Pick<Db, 'query'>, keys: Sealer): Promise<void> {
  const { rows } = await db.query<{ id: string }>(
    'select secret_key_id as id from app.connections union select address_key_id from app.pings order by 1',
  );
  if (rows.length > 0 && !rows.some(({ id }) => keys.has(id)))
    throw new SecretKeysForeign(rows.map(({ id }) => id));
}

/** Without keys it throws on first use only. */
export function sealer(keys: readonly SecretKey[] | undefined): Sealer {
  const byId = new Map(keys?.map(({ id, key }) => [id, key]));
  const [first] = keys ?? [];
  return {
    keyId: first?.id,
    has: (keyId) => byId.has(keyId),
    seal(plain, place) {
      if (first === undefined) throw new SecretKeysMissing();
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, first.key, nonce).setAAD(placeBytes(place));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), body]), keyId: first.id };
    },
    open({ sealed, keyId }, place) {
      if (first === undefined) throw new SecretKeysMissing();
      const key = byId.get(keyId);
      if (key === undefined) throw new SecretKeyUnknown(keyId, place);
      try {
        return openWith(key, sealed, place);
      } catch {
        throw new SecretUnreadable(keyId, place); // the cause says nothing useful to a person
      }
    },
  };
}

function openWith(key: Buffer, sealed: Buffer, place: SecretPlace): string {
  const bodyAt = NONCE_BYTES + TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(placeBytes(place)).setAuthTag(sealed.subarray(NONCE_BYTES, bodyAt));
  return Buffer.concat([decipher.update(sealed.subarray(bodyAt)), decipher.final()]).toString('utf8');
}

function placeBytes({ brandId, connectionId, use }: SecretPlace): Buffer {
  return Buffer.from(`${brandId}/${connectionId}/${use}`);
}

type Stored = {
  brand_id: string;
  id: string;
  secret: Buffer;
  secret_key_id: string;
  token: Buffer | null;
  token_key_id: string | null;
};

/** Reseals with the first key what another one has sealed; returns how many changed. */
export async function resealAll(
  db: Pick<Db, 'transaction' | 'query'>,
  keys: Sealer,
): Promise<{ connections: number; pings: number; persons: number }> {
  const { rows } = await db.query<{ brand_id: string; id: string }>(
    `select brand_id, id from app.connections where secret_key_id <> $1 or token_key_id <> $1
     union select brand_id, connection_id from app.webhook_secrets where secret_key_id <> $1 order by 1, 2`,
    [keys.keyId],
  );
  // One connection per transaction, so that each lock is short.
  for (const { brand_id, id } of rows) await db.transaction((tx) => reseal(tx, keys, brand_id, id));
  return {
    connections: rows.length,
    pings: await resealOfBrands(db, keys, PINGS),
    persons: (await resealOfBrands(db, keys, PERSONS)) + (await resealOfBrands(db, keys, REQUESTS)),
  };
}

/** A secret of each brand: where it is. */
type OfBrands = { table: string; brand: string; sealed: string; use: 'ping' | 'persons' | 'person' };

const PINGS: OfBrands = { table: 'app.pings', brand: 'brand_id', sealed: 'address', use: 'ping' };
const PERSONS: OfBrands = { table: 'app.brands', brand: 'id', sealed: 'person_secret', use: 'persons' };
/** Of which a brand may have several. */
const REQUESTS: OfBrands = {
  table: 'ops.privacy_requests',
  brand: 'brand_id',
  sealed: 'person',
  use: 'person',
};

async function resealOfBrands(
  db: Pick<Db, 'transaction' | 'query'>,
  keys: Sealer,
  { table, brand, sealed: column, use }: OfBrands,
): Promise<number> {
  const { rows } = await db.query<{ brandId: string; sealed: Buffer; keyId: string }>(
    `select ${brand} as "brandId", ${column} as sealed, ${column}_key_id as "keyId" from ${table}
     where ${column}_key_id <> $1 order by 1`,
    [keys.keyId],
  );
  for (const { brandId, sealed, keyId } of rows) {
    const place = { brandId, connectionId: '', use } as const;
    const again = keys.seal(keys.open({ sealed, keyId }, place), place);
    // One that was set anew meanwhile has another seal, and the newer key.
    await db.query(
      `update ${table} set ${column} = $2, ${column}_key_id = $3 where ${brand} = $1 and ${column} = $4`,
      [brandId, again.sealed, again.keyId, sealed],
    );
  }
  return rows.length;
}

async function reseal(tx: Tx, keys: Sealer, brandId: string, connectionId: string): Promise<void> {
  const { rows } = await tx.query<Stored>(
    `select brand_id, id, secret, secret_key_id, token, token_key_id from app.connections
     where brand_id = $1 and id = $2 for no key update`,
    [brandId, connectionId],
  );
  const [row] = rows;
  if (row === undefined) return;
  const again = (sealed: Buffer, keyId: string, use: SecretPlace['use']): Sealed => {
    const place = { brandId, connectionId, use };
    return keys.seal(keys.open({ sealed, keyId }, place), place);
  };
  const secret = again(row.secret, row.secret_key_id, 'secret');
  const token = row.token && row.token_key_id ? again(row.token, row.token_key_id, 'token') : undefined;
  await tx.query(
    `update app.connections set secret = $3, secret_key_id = $4, token = $5, token_key_id = $6
     where brand_id = $1 and id = $2`,
    [brandId, connectionId, secret.sealed, secret.keyId, token?.sealed ?? null, token?.keyId ?? null],
  );
  const { rows: others } = await tx.query<{ id: string; secret: Buffer; secret_key_id: string }>(
    'select id, secret, secret_key_id from app.webhook_secrets where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
  for (const one of others) {
    const { sealed, keyId } = again(one.secret, one.secret_key_id, 'webhook');
    await tx.query(
      `update app.webhook_secrets set secret = $4, secret_key_id = $5
       where brand_id = $1 and connection_id = $2 and id = $3`,
      [brandId, connectionId, one.id, sealed, keyId],
    );
  }
}
