/** As whom letters of a connection are sent. */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

export type Sender = { address: string; name: string | null; groupId: string | null };

export class SenderMissing extends coded('NS_MAIL_SENDER_MISSING') {
  constructor(connection: string) {
    super(`It is not said as whom letters of connection ${connection} are sent.`, {
      hint: `npx nightshift mail sender ${connection} --from ADDRESS --name NAME`,
      context: { connection },
    });
  }
}

export async function readSender(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
): Promise<Sender | undefined> {
  const { rows } = await db.query<Sender>(
    `select address, name, group_id as "groupId" from app.mail_senders where brand_id = $1 and connection_id = $2`,
    [brandId, connectionId],
  );
  return rows[0];
}

export async function setSender(
  tx: Tx,
  key: ConnectionKey,
  { address, name, groupId }: Sender,
): Promise<void> {
  await keepConnection(tx, key);
  await tx.query(
    `insert into app.mail_senders as s (brand_id, connection_id, address, name, group_id)
     values ($1, $2, $3, $4, $5)
     on conflict (brand_id, connection_id) do update
     set address = excluded.address, name = excluded.name, group_id = excluded.group_id, set_at = now()`,
    [key.brandId, key.connectionId, address, name, groupId],
  );
}
