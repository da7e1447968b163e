/** Queues what a request asks for, where that needs no person: an export is made when an operator asks for it. */
import type { Tx } from '#sql/db/pool.ts';
import type { PrivacyKind } from '#sql/privacy/requests.ts';
import { enqueue } from '../enqueue.ts';
import { privacyErase } from './erase.ts';
import { privacyPurge } from './purge.ts';

/** The last of its transaction. */
export async function queueRequest(
  tx: Tx,
  { brandId, id, kind }: { brandId: string; id: number; kind: PrivacyKind },
): Promise<string | undefined> {
  if (kind === 'erase_person') return enqueue(tx, privacyErase, { brandId, request: id });
  return kind === 'erase_account' ? enqueue(tx, privacyPurge, { brandId, request: id }) : undefined;
}
