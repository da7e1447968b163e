/** Seals with the first key what another one has sealed, so that older keys can be dropped. */
import type { Db, Tx } from '../db/pool.ts';
import type { Sealed, Sealer, SecretPlace } from './secrets.ts';

type Stored = {
  brand_id: string;
  id: string;
  secret: Buffer;
  secret_key_id: string;
  token: Buffer | null;
  token_key_id: string | null;
};

/** What was sealed anew, by what it is. */
export type Resealed = {
  connections: number;
  pings: number;
  persons: number;
  /** Letters, and addresses of digests. */
  mail: number;
  /** Of senders of events. */
  events: number;
};

type ResealDb = Pick<Db, 'transaction' | 'query'>;

export async function resealAll(db: ResealDb, keys: Sealer): Promise<Resealed> {
  const { rows } = await db.query<{ brand_id: string; id: string }>(
    `select brand_id, id from app.connections where secret_key_id <> $1 or token_key_id <> $1
     union select brand_id, connection_id from app.webhook_secrets where secret_key_id <> $1 order by 1, 2`,
    [keys.keyId],
  );
  // One connection per transaction, so that each lock is short.
  for (const { brand_id, id } of rows) await db.transaction((tx) => reseal(tx, keys, brand_id, id));
  return {
    connections: rows.length,
    pings: await resealColumn(db, keys, PINGS),
    persons: await resealColumns(db, keys, [PERSONS, REQUESTS, ERASED]),
    mail: await resealColumns(db, keys, [LETTERS, DIGESTS]),
    events: await resealColumn(db, keys, EVENT_KEYS),
  };
}

/** Where it is; `connection` is the column of its connection, absent for what is of the brand itself. */
type Column = {
  table: string;
  brand: string;
  connection?: string;
  /** Tells rows of one owner apart. */
  id?: string;
  sealed: string;
  use: SecretPlace['use'];
};

const PINGS: Column = { table: 'app.pings', brand: 'brand_id', sealed: 'address', use: 'ping' };
const PERSONS: Column = { table: 'app.brands', brand: 'id', sealed: 'person_secret', use: 'persons' };
const EVENT_KEYS: Column = {
  ...{ table: 'app.event_keys', brand: 'brand_id', id: 'name', sealed: 'secret', use: 'events' },
};
/** Of a brand itself, though it came by a connection. */
const REQUESTS: Column = {
  ...{ table: 'ops.privacy_requests', brand: 'brand_id', id: 'id', sealed: 'person', use: 'person' },
};
const ERASED: Column = {
  ...{ table: 'ops.erased_persons', brand: 'brand_id', id: 'request', sealed: 'person', use: 'person' },
};
const ofConnection = { brand: 'brand_id', connection: 'connection_id' };
const LETTERS: Column = { ...ofConnection, table: 'ops.mail', id: 'id', sealed: 'content', use: 'mail' };
const DIGESTS: Column = {
  ...{ ...ofConnection, table: 'app.mail_digests', id: 'recipient_hash', sealed: 'address', use: 'digest' },
};

const BATCH_MAX = 1_000;

type Found = { brandId: string; connectionId: string; id: string; sealed: Buffer; keyId: string };

async function resealColumns(db: ResealDb, keys: Sealer, columns: readonly Column[]): Promise<number> {
  let resealed = 0;
  for (const column of columns) resealed += await resealColumn(db, keys, column);
  return resealed;
}

async function resealColumn(db: ResealDb, keys: Sealer, column: Column): Promise<number> {
  const { table, brand, connection = "''", id = "''", sealed, use } = column;
  const key = `(${brand}, ${connection}::text, ${id}::text)`;
  let after = ['00000000-0000-0000-0000-000000000000', '', ''];
  for (let resealed = 0; ; ) {
    const { rows } = await db.query<Found>(
      `select ${brand} as "brandId", ${connection}::text as "connectionId", ${id}::text as id, ${sealed} as sealed,
              ${sealed}_key_id as "keyId"
       from ${table} where ${sealed}_key_id <> $1 and ${key} > ($2::uuid, $3, $4) order by ${key} limit ${BATCH_MAX}`,
      [keys.keyId, ...after],
    );
    for (const row of rows) {
      const place = { brandId: row.brandId, connectionId: row.connectionId, use };
      const again = keys.seal(keys.open(row, place), place);
      // One that was set anew meanwhile has another seal, and the newer key.
      await db.query(
        `update ${table} set ${sealed} = $4, ${sealed}_key_id = $5 where ${key} = ($1, $2, $3) and ${sealed} = $6`,
        [row.brandId, row.connectionId, row.id, again.sealed, again.keyId, row.sealed],
      );
    }
    resealed += rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH_MAX) return resealed;
    after = [last.brandId, last.connectionId, last.id];
  }
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
