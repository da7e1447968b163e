/** Two brands, acme and brio, whose connections have one id: what is done for one must leave the other as it was. */
import type { TestDb } from '../db/db.ts';
import { aBrand, testSealer } from './factory.ts';

export const SAME_ID = '11111111-1111-4111-8111-111111111111';

export type Place = { brandId: string; connectionId: string };

export async function twoBrands(db: TestDb, providers = ['mailer', 'mailer']): Promise<[Place, Place]> {
  const places: Place[] = [];
  for (const [at, slug] of ['acme', 'brio'].entries()) {
    const { id: brandId } = await aBrand(db, { slug });
    await db.query(
      `insert into app.connections
         (brand_id, id, name, provider, level, account, base_url, auth, secret, secret_key_id)
       values ($1, $2, 'mail', $3, 'brand', 'x', 'http://127.0.0.1', 'key', '', $4)`,
      [brandId, SAME_ID, providers[at], testSealer.keyId],
    );
    places.push({ brandId, connectionId: SAME_ID });
  }
  return places as [Place, Place];
}
