/** Records that are quarantined although their person is erased: nothing of them is kept but that they are there. */
import type { Tx } from '../../db/pool.ts';
import { type IdentifierOf, personKeyOf } from '../../tenants/persons.ts';
import type { Rejection } from '../quarantine.ts';
import { pseudonymsOf } from './erased.ts';
import type { RedactTarget } from './page.ts';
import { ERASED } from './row.ts';

/** Texts of one record that are looked up: what may name its person stands near its beginning. */
const TEXTS_MAX = 2_000;
export const REASON_OF_ERASED =
  'the record is invalid; its person is erased, so what is wrong with it is not kept';

export async function redactRejections(
  tx: Tx,
  { brandId, connectionId, tables, sealer }: RedactTarget,
  rejections: readonly Rejection[],
): Promise<readonly Rejection[]> {
  const [root] = tables;
  if (rejections.length === 0 || !root?.personal) return rejections;
  const { rows } = await tx.query<{ erased: boolean }>(
    'select has_erased as erased from app.brands where id = $1 for key share',
    [brandId],
  );
  if (!rows[0]?.erased) return rejections;
  if (sealer === undefined)
    throw new TypeError(`${root.name} cannot be loaded without the key of erased persons`);
  const key = await personKeyOf(tx, sealer, brandId);
  const kept: Rejection[] = [];
  for (const rejection of rejections) {
    const asked = [...textsIn([rejection.key, rejection.payload])].flatMap((id): [string, IdentifierOf][] => [
      [id, { kind: 'customer', connectionId, id }],
      [id, { kind: 'object', connectionId, table: root.name, id }],
    ]);
    const found = await pseudonymsOf(tx, { brandId, key }, asked);
    const id = found.get(rejection.key);
    kept.push(
      found.size === 0
        ? rejection
        : {
            key: root.personal.of?.some(({ column }) => column === 'id')
              ? (id ?? rejection.key)
              : rejection.key,
            ...BLANK,
          },
    );
  }
  return kept;
}

const BLANK = { reason: REASON_OF_ERASED, payload: ERASED };

/** Its texts and numbers, and of a path such as a global id the last part. */
function textsIn(value: unknown, found = new Set<string>()): Set<string> {
  if (found.size >= TEXTS_MAX) return found;
  if (typeof value === 'string' || typeof value === 'number') {
    const text = String(value);
    found.add(text);
    found.add(text.slice(text.lastIndexOf('/') + 1));
  } else if (typeof value === 'object' && value !== null) {
    for (const one of Object.values(value)) textsIn(one, found);
  }
  return found;
}
