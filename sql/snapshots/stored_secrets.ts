/** Secrets of a brand that are in the database: whether keys open them says whether they are the keys of this database. */
import type { Reader } from '../db/reader.ts';
import type { Sealed, SecretPlace } from '../tenants/secrets.ts';

export type StoredSecret = Sealed & { place: SecretPlace };

const SECRETS_MAX = 50;

/** Those of its connections and of its persons, the ones that this key has sealed first. */
export async function storedSecrets(db: Reader, brandId: string, keyId: string): Promise<StoredSecret[]> {
  const { rows } = await db.query<Sealed & Pick<SecretPlace, 'connectionId' | 'use'>>(
    `select * from (
       select id::text as "connectionId", 'secret' as use, secret as sealed, secret_key_id as "keyId"
       from app.connections where brand_id = $1
       union all
       select '', 'persons', person_secret, person_secret_key_id
       from app.brands where id = $1 and person_secret is not null) s
     order by "keyId" = $2 desc, 1 limit ${SECRETS_MAX}`,
    [brandId, keyId],
  );
  return rows.map(({ sealed, keyId: by, connectionId, use }) => ({
    ...{ sealed, keyId: by, place: { brandId, connectionId, use } },
  }));
}
