/** The secrets with which senders sign the events of a brand. */
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { named } from '../tenants/names.ts';
import { keepBrand } from '../tenants/removing.ts';
import type { Sealed, Sealer } from '../tenants/secrets.ts';

const KEYS_MAX = 20;

export type EventKey = { name: string; addedAt: Date };

export class EventKeyTaken extends coded('NS_EVENT_KEY_TAKEN') {
  constructor(name: string) {
    super(`There is a key ${name} already, or the brand has ${KEYS_MAX}.`, {
      hint: 'Remove what is out of use: npx nightshift events keys remove --help',
      context: { name },
    });
  }
}

const placeOf = (brandId: string) => ({ brandId, connectionId: '', use: 'events' }) as const;

export async function addKey(
  tx: Tx,
  sealer: Sealer,
  { brandId, name, secret, actor }: { brandId: string; name: string; secret: string; actor?: string },
): Promise<void> {
  await keepBrand(tx, brandId);
  const { sealed, keyId } = sealer.seal(secret, placeOf(brandId));
  const { rowCount } = await tx.query(
    `insert into app.event_keys (brand_id, name, secret, secret_key_id)
     select $1, $2, $3, $4 where (select count(*) from app.event_keys where brand_id = $1) < ${KEYS_MAX}
     on conflict do nothing`,
    [brandId, name, sealed, keyId],
  );
  if (rowCount === 0) throw new EventKeyTaken(name);
  await recordAction(tx, { action: 'events.keys_add', brandId, target: name, after: { key: true }, actor });
}

export async function listKeys(db: Reader, brandId: string): Promise<EventKey[]> {
  const { rows } = await db.query<EventKey>(
    'select name, added_at as "addedAt" from app.event_keys where brand_id = $1 order by name',
    [brandId],
  );
  return rows;
}

export async function removeKey(tx: Tx, brandId: string, given: string, actor?: string): Promise<void> {
  const { name } = named('events key', given, await listKeys(tx, brandId), (key) => key.name);
  await tx.query('delete from app.event_keys where brand_id = $1 and name = $2', [brandId, name]);
  await recordAction(tx, {
    action: 'events.keys_remove',
    brandId,
    target: name,
    before: { key: true },
    actor,
  });
}

/** The brand that takes events under this name, with its opened secrets; undefined if it takes none. */
export async function senderOf(
  db: Pick<Db, 'query'>,
  sealer: Sealer,
  slug: string,
): Promise<{ brandId: string; secrets: string[] } | undefined> {
  const { rows } = await db.query<Sealed & { brandId: string }>({ ...SENDER }, [slug]);
  const [first] = rows;
  return (
    first && { brandId: first.brandId, secrets: rows.map((row) => sealer.open(row, placeOf(row.brandId))) }
  );
}

const SENDER = {
  name: 'sender of events',
  text: `select b.id as "brandId", k.secret as sealed, k.secret_key_id as "keyId"
         from app.brands b join app.event_keys k on k.brand_id = b.id
         where b.slug = $1 and b.removing_at is null order by k.added_at desc, k.name limit ${KEYS_MAX}`,
};
