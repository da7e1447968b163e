/** What the mail knows of a person, for whoever wants to be rid of it. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { resolveUncertain } from './uncertain.ts';

/** The letters, and the digests that somebody gets, by table. */
export async function countMailOf(db: Reader, brandId: string, hash: string): Promise<[string, number][]> {
  const { rows } = await db.query<{ letters: number; digests: number }>(
    `select (select count(*)::int from ops.mail where brand_id = $1 and recipient_hash = $2) as letters,
            (select count(*)::int from app.mail_digests where brand_id = $1 and recipient_hash = $2) as digests`,
    [brandId, hash],
  );
  const { letters = 0, digests = 0 } = rows[0] ?? {};
  return [
    ['ops.mail', letters],
    ['app.mail_digests', digests],
  ];
}

/** The same in copies of these tables, of which nothing is sent. */
export async function deleteMailIn(
  tx: Tx,
  brandId: string,
  { hashes, tables }: { hashes: readonly string[]; tables: readonly string[] },
): Promise<void> {
  for (const table of tables)
    await tx.query(`delete from ${table} where brand_id = $1 and recipient_hash = any ($2)`, [
      brandId,
      hashes,
    ]);
}

/**
 * Deletes all letters of a person (`hash`: the digest of the address), those that wait too, and keeps the digest from being sent to it. The job of a letter
 * that is gone ends by itself. What was handed to the provider is with the provider. `resolved`: alerts that are over.
 */
export async function erasePersonFromMail(
  tx: Tx,
  brandId: string,
  hash: string,
): Promise<{ letters: number; digests: number; resolved: number[] }> {
  const { rows } = await tx.query<{ connectionId: string; uncertain: boolean }>(
    `delete from ops.mail where brand_id = $1 and recipient_hash = $2
     returning connection_id as "connectionId", state = 'uncertain' as uncertain`,
    [brandId, hash],
  );
  const { rowCount } = await tx.query(
    'delete from app.mail_digests where brand_id = $1 and recipient_hash = $2',
    [brandId, hash],
  );
  const settled = new Set(rows.flatMap(({ connectionId, uncertain }) => (uncertain ? connectionId : [])));
  const resolved: number[] = [];
  for (const connectionId of [...settled].sort()) {
    const alert = await resolveUncertain(tx, { brandId, connectionId });
    if (alert !== undefined) resolved.push(alert);
  }
  return { letters: rows.length, digests: rowCount ?? 0, resolved };
}
