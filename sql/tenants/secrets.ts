/**
 * Secrets of connections, and addresses of pings, sealed with AES-256-GCM before they reach the database. Owner and use
 * are authenticated with the secret, so a sealed secret opens for no other. The first key seals, every key opens: to rotate a key, put a
 * new one in front, reseal, and then remove the old one.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { SecretKey } from '#runtime/config.ts';
import { coded } from '#runtime/errors.ts';
import type { Db } from '../db/pool.ts';

export type Sealed = { sealed: Buffer; keyId: string };

/** The owner of a secret and its use. */
export type SecretPlace = {
  brandId: string;
  /** Empty for what belongs to the brand itself; of a snapshot its id. */
  connectionId: string;
  use:
    | 'secret'
    | 'token'
    | 'webhook'
    | 'ping'
    | 'persons'
    | 'person'
    | 'mail'
    | 'digest'
    | 'snapshot'
    | 'events';
  /** The name of the connection or the brand, for messages. */
  name?: string;
};

function said({ brandId, connectionId, use, name }: SecretPlace): { what: string; anew: string } {
  if (use === 'ping')
    return { what: `ping address of brand ${name ?? brandId}`, anew: 'npx nightshift brands set-ping BRAND' };
  if (use === 'persons')
    return {
      what: `key of the persons of brand ${name ?? brandId}`,
      anew: 'it cannot be stored anew: digests of before would be of nobody',
    };
  if (use === 'person')
    return {
      what: `person of a privacy request of brand ${name ?? brandId}`,
      anew: 'npx nightshift privacy erase --brand BRAND',
    };
  if (use === 'snapshot')
    return {
      what: `data key of snapshot ${connectionId} of brand ${name ?? brandId}`,
      anew: 'it cannot be stored anew: files of before would stay closed',
    };
  if (use === 'webhook')
    return {
      what: `webhook secret of connection ${name ?? connectionId}`,
      anew: 'npx nightshift connections webhooks secret NAME --brand BRAND',
    };
  if (use === 'mail')
    return { what: `letter of connection ${name ?? connectionId}`, anew: 'npx nightshift mail send --help' };
  if (use === 'events')
    return {
      what: `key of the events of brand ${name ?? brandId}`,
      anew: 'npx nightshift events keys add NAME --brand BRAND',
    };
  if (use === 'digest')
    return {
      what: `address of a digest of brand ${name ?? brandId}`,
      anew: 'npx nightshift mail digest --brand BRAND',
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
    `select secret_key_id as id from app.connections union select address_key_id from app.pings
     union select content_key_id from ops.mail where content_key_id is not null
     union select address_key_id from app.mail_digests union select secret_key_id from app.event_keys order by 1`,
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
