/**
 * Names persons by digests of their e-mail addresses. Equal addresses of a brand have equal digests, whichever provider
 * brought them, so that rows of one person can be joined and erased; those of two brands have different ones. A digest
 * is keyed: whoever has the rows, but not the key, cannot try addresses.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import type { Reader } from '../db/reader.ts';
import { only } from './brands.ts';
import type { Sealer } from './secrets.ts';

const KEY_BYTES = 32;
/** 128 bits: enough to tell the persons of a brand apart. */
const DIGEST_CHARS = 32;

/** The digest of an address, or the pseudonym of one that is erased; null for none. */
export type PersonOf = (email: string) => string | null;

/** What an identifier of a person is of: of an account, an address, or an object of such an account. */
export type IdentifierOf =
  | { kind: 'customer'; connectionId: string; id: string }
  | { kind: 'email'; digest: string }
  | { kind: 'object'; connectionId: string; table: string; id: string };

export type PersonKey = {
  /** The digest of an address, erased or not; null for none. */
  digestOf(email: string): string | null;
  /** The digest of what a sender calls a visitor or a device. */
  visitorOf(id: string): string;
  /** What `ops.erased_identifiers` knows it by. */
  identifierOf(of: IdentifierOf): string;
};

type Stored = { sealed: Buffer | null; keyId: string | null };

/** Makes the key of the brand if there is none yet: of two that do, the first one counts. */
export async function personKeyOf(db: Reader, sealer: Sealer, brandId: string): Promise<PersonKey> {
  const place = { brandId, connectionId: '', use: 'persons' } as const;
  const read = async () => {
    const { rows } = await db.query<Stored>(
      'select person_secret as sealed, person_secret_key_id as "keyId" from app.brands where id = $1',
      [brandId],
    );
    return only(rows);
  };
  let { sealed, keyId } = await read();
  if (sealed === null || keyId === null) {
    const fresh = sealer.seal(randomBytes(KEY_BYTES).toString('hex'), place);
    await db.query(
      'update app.brands set person_secret = $2, person_secret_key_id = $3 where id = $1 and person_secret is null',
      [brandId, fresh.sealed, fresh.keyId],
    );
    ({ sealed, keyId } = await read());
  }
  if (sealed === null || keyId === null) throw new TypeError(`brand ${brandId} has no key of its persons`);
  return keyedBy(Buffer.from(sealer.open({ sealed, keyId }, place), 'hex'));
}

function keyedBy(bytes: Buffer): PersonKey {
  const key = createSecretKey(bytes); // made once: bytes would be made a key for each digest, which takes longer than it
  const digest = (text: string) =>
    createHmac('sha256', key).update(text).digest('hex').slice(0, DIGEST_CHARS);
  return {
    digestOf(email) {
      const plain = email.trim().toLowerCase();
      return plain === '' ? null : digest(plain);
    },
    // A space never stands before an address, so none of these is the digest of one.
    visitorOf: (id) => digest(` visitor ${id}`),
    identifierOf(of) {
      if (of.kind === 'email') return digest(` email ${of.digest}`);
      const { kind, connectionId, id } = of;
      return digest(` ${kind} ${connectionId} ${kind === 'object' ? `${of.table} ` : ''}${id}`);
    },
  };
}

/** As `personKeyOf`. An erased person is known by the pseudonym, as in the rows that are stored. */
export async function personsOf(db: Reader, sealer: Sealer, brandId: string): Promise<PersonOf> {
  return personsBy(db, await personKeyOf(db, sealer, brandId), brandId);
}

async function personsBy(db: Reader, key: PersonKey, brandId: string): Promise<PersonOf> {
  const { rows } = await db.query<{ identifier: string; pseudonym: string }>(
    'select identifier, pseudonym from ops.erased_identifiers where brand_id = $1 and known_to is null',
    [brandId],
  );
  const erased = new Map(rows.map(({ identifier, pseudonym }) => [identifier, pseudonym]));
  return (email) => {
    const digest = key.digestOf(email);
    if (digest === null || erased.size === 0) return digest;
    return erased.get(key.identifierOf({ kind: 'email', digest })) ?? digest;
  };
}

/** Senders name the same visitors again and again, and a digest costs more than a look. */
const KNOWN_MAX = 100_000;

/**
 * The digest of a visitor or a device, by whatever a sender calls it. An e-mail address has the digest of the person, so
 * that an erasure finds it, and the pseudonym of one that is erased.
 */
export async function visitorsOf(
  db: Reader,
  sealer: Sealer,
  brandId: string,
): Promise<(visitor: string) => string> {
  const key = await personKeyOf(db, sealer, brandId);
  const personOf = await personsBy(db, key, brandId);
  const known = new Map<string, string>();
  return (visitor) => {
    const before = known.get(visitor);
    if (before !== undefined) return before;
    const digest = (visitor.includes('@') ? personOf(visitor) : null) ?? key.visitorOf(visitor);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(visitor, digest);
    return digest;
  };
}
