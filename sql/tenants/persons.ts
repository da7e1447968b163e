/**
 * Names persons by digests of their e-mail addresses. Equal addresses of a brand have equal digests, whichever provider
 * brought them, so that rows of one person can be joined and erased; those of two brands have different ones. A digest
 * is keyed: whoever has the rows, but not the key, cannot try addresses.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Reader } from '../db/reader.ts';
import { only } from './brands.ts';
import type { Sealer } from './secrets.ts';

const KEY_BYTES = 32;
/** 128 bits: enough to tell the persons of a brand apart. */
const DIGEST_CHARS = 32;

/** The digest of an address; null for none. */
export type PersonOf = (email: string) => string | null;

type Stored = { sealed: Buffer | null; keyId: string | null };

/** Makes the key of the brand if there is none yet: of two that do, the first one counts. */
export async function personsOf(db: Reader, sealer: Sealer, brandId: string): Promise<PersonOf> {
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
  const key = Buffer.from(sealer.open({ sealed, keyId }, place), 'hex');
  return (email) => {
    const plain = email.trim().toLowerCase();
    if (plain === '') return null;
    return createHmac('sha256', key).update(plain).digest('hex').slice(0, DIGEST_CHARS);
  };
}
