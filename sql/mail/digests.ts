/** Who gets the digest of the nights of a brand. Addresses are sealed. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import { isPseudonym } from '../load/redact/erased.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { NightKey } from '../nights/nights.ts';
import { recordAction } from '../tenants/audit.ts';
import { keepBrand } from '../tenants/removing.ts';
import type { Sealer } from '../tenants/secrets.ts';

const place = ({ brandId, connectionId }: ConnectionKey) =>
  ({ brandId, connectionId, use: 'digest' }) as const;

/** These and no others get it from now on; nobody who is erased. */
export async function setDigest(
  tx: Tx,
  sealer: Sealer,
  key: ConnectionKey,
  wanted: readonly { to: string; hash: string }[],
  language: string | null = null,
): Promise<void> {
  const target = await keepBrand(tx, key.brandId);
  await keepConnection(tx, key);
  const before = await forget(tx, key.brandId);
  const recipients = wanted.filter(({ hash }) => !isPseudonym(hash));
  for (const { to, hash } of recipients) {
    const { sealed, keyId } = sealer.seal(to, place(key));
    await tx.query(
      `insert into app.mail_digests (brand_id, connection_id, recipient_hash, address, address_key_id, language)
       values ($1, $2, $3, $4, $5, $6)`,
      [key.brandId, key.connectionId, hash, sealed, keyId, language],
    );
  }
  await note(tx, key.brandId, target, { before, after: recipients.length });
}

/** Nobody gets it any more. */
export async function endDigest(tx: Tx, brandId: string): Promise<number> {
  const target = await keepBrand(tx, brandId);
  const before = await forget(tx, brandId);
  await note(tx, brandId, target, { before, after: 0 });
  return before;
}

async function forget(tx: Tx, brandId: string): Promise<number> {
  const { rowCount } = await tx.query('delete from app.mail_digests where brand_id = $1', [brandId]);
  return rowCount ?? 0;
}

function note(tx: Tx, brandId: string, target: string, counts: { before: number; after: number }) {
  const [before, after] = [{ recipients: counts.before }, { recipients: counts.after }];
  return recordAction(tx, { action: 'mail.digest', brandId, target, before, after });
}

export type DigestRecipient = ConnectionKey & {
  hash: string;
  sealed: Buffer;
  keyId: string;
  language: string | null;
};

/** By connection. */
export async function digestRecipients(db: Reader, brandId: string): Promise<DigestRecipient[]> {
  const { rows } = await db.query<DigestRecipient>(
    `select brand_id as "brandId", connection_id as "connectionId", recipient_hash as hash, address as sealed,
            address_key_id as "keyId", language
     from app.mail_digests where brand_id = $1 order by connection_id, recipient_hash`,
    [brandId],
  );
  return rows;
}

export function addressOf(sealer: Sealer, recipient: DigestRecipient): string {
  return sealer.open(recipient, place(recipient));
}

/** A night that was over for longer when somebody began to want digests is history. */
const LATE = '1 day';

/** Whether the night is to be told now: once, if somebody wanted to be told by then. */
export async function takeDigest(tx: Tx, { brandId, day }: NightKey, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.nights n set digest_at = $3
     where n.brand_id = $1 and n.day = $2 and n.digest_at is null
       and exists (select from app.mail_digests d where d.brand_id = n.brand_id
                     and d.added_at < n.deadline_at + interval '${LATE}')`,
    [brandId, day, now],
  );
  return rowCount === 1;
}
