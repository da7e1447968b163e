/**
 * Each snapshot encrypts what it writes with a key of its own, which stands in a file beside, sealed with a key of
 * NIGHTSHIFT_SECRET_KEYS. To rotate those, only these files are sealed again.
 */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { StoredSecret } from '#sql/snapshots/stored_secrets.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { parsed } from './damage.ts';
import { fileOf, putText, readText, type Store } from './store.ts';

export type DataKey = { id: string; key: Buffer };
type Which = { brandId: string; id: string; signal?: AbortSignal };

const KEY_BYTES = 32;
const keyFile = z.strictObject({
  format: z.literal(1),
  sealed: z.base64(),
  key_id: z.string().min(1).max(64),
});

const placeOf = ({ brandId, id }: Which) => ({ brandId, connectionId: id, use: 'snapshot' }) as const;

/** Before anything is encrypted with it: what nobody can open is lost. */
export async function makeDataKey(store: Store, sealer: Sealer, which: Which): Promise<DataKey> {
  const key = randomBytes(KEY_BYTES);
  await putKey(store, sealer, which, key);
  await store.settle();
  return { id: which.id, key };
}

export async function openDataKey(store: Store, sealer: Sealer, which: Which): Promise<DataKey> {
  const { sealed, keyId } = await readSealed(store, which);
  const plain = sealer.open({ sealed, keyId }, placeOf(which));
  return { id: which.id, key: Buffer.from(plain, 'base64') };
}

/** Seals it with the key that seals from now on; says whether another one had. */
export async function resealDataKey(store: Store, sealer: Sealer, which: Which): Promise<boolean> {
  const { keyId } = await readSealed(store, which);
  if (keyId === sealer.keyId) return false;
  const { key } = await openDataKey(store, sealer, which);
  await putKey(store, sealer, which, key);
  return true;
}

/** As it stands in its file. */
export async function sealedDataKey(store: Store, which: Which): Promise<StoredSecret> {
  return { ...(await readSealed(store, which)), place: placeOf(which) };
}

/** Opens each key once. */
export function dataKeys(store: Store, sealer: Sealer, brandId: string): (id: string) => Promise<DataKey> {
  const open = new Map<string, Promise<DataKey>>();
  return (id) => {
    const found = open.get(id) ?? openDataKey(store, sealer, { brandId, id });
    open.set(id, found);
    return found;
  };
}

/** What only a holder of the key can say of a text. */
export function signatureOf({ key }: DataKey, text: string): string {
  const signing = Buffer.from(hkdfSync('sha256', key, '', 'nightshift manifest', KEY_BYTES));
  return createHmac('sha256', signing).update(text).digest('hex');
}

async function putKey(store: Store, sealer: Sealer, which: Which, key: Buffer): Promise<void> {
  const { sealed, keyId } = sealer.seal(key.toString('base64'), placeOf(which));
  const text = JSON.stringify({ format: 1, sealed: sealed.toString('base64'), key_id: keyId });
  const { brandId, id, signal } = which;
  await putText(store, brandId, { name: fileOf.key(brandId, id), text: `${text}\n`, signal });
}

async function readSealed(store: Store, { brandId, id }: Which): Promise<{ sealed: Buffer; keyId: string }> {
  const name = fileOf.key(brandId, id);
  const { sealed, key_id } = parsed(name, await readText(store, name), keyFile.parse);
  return { sealed: Buffer.from(sealed, 'base64'), keyId: key_id };
}
